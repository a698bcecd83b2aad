/* What the names of elements end in: nothing in the book. In a notebook, where a cell may be run again with newer
   scripts while the older ones are still there, the version; lib/scripts.py puts it in. */
export const suffix = "";
