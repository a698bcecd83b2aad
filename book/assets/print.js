/* Paper is light, whatever the screen is. */
{
  const html = document.documentElement;
  let screen;
  addEventListener("beforeprint", () => {
    screen = html.dataset.theme;
    html.dataset.theme = "light";
  });
  addEventListener("afterprint", () => {
    html.dataset.theme = screen;
  });
}
