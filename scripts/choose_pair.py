"""Choose what chapter 0 opens with, `samples/pair.json`: a picture, and another whose gates it is given in all
blocks; and the mean gates of 2,000 training images, to freeze them to.

    python scripts/choose_pair.py

The rule: each of the first 2,000 test images gets the gates of one of another class, and the probability of its own
class falls, by the median so much. The picture is a photograph that the network names rightly with at least 70 %. The
donor is, of the samples of other classes that it names rightly with at least 70 %, the one with which this picture's
fall is nearest to that median. So the pair is typical, not the best case.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from senet_edu import load_pretrained, override_gates, record_gates
from senet_edu.analysis import donors
from senet_edu.data import CLASSES, load_cifar10, normalize
from senet_edu.explorables.live import PAIR, load_samples, sample_words

SURE = 0.7
SEED = 0
COUNT = 2000


def main() -> None:
    torch.set_grad_enabled(False)
    net = load_pretrained("se_resnet20")
    data = load_cifar10(download=True)
    generator = torch.Generator().manual_seed(SEED)
    other = donors(data.test_labels, generator, same_class=False)
    falls = []
    for rows in torch.arange(COUNT).split(250):
        own, labels = normalize(data.test_images[rows]), data.test_labels[rows]
        with record_gates(net) as gates:
            net(normalize(data.test_images[other[rows]]))
        before = net(own).softmax(1)
        with override_gates(net, dict(gates)):
            after = net(own).softmax(1)
        falls.append((before - after).gather(1, labels[:, None])[:, 0])
    median = torch.cat(falls).median().item()

    samples, words, known = load_samples(), sample_words(), {}
    for name in set(samples) & set(CLASSES):
        with record_gates(net) as gates:
            p = net(normalize(samples[name][None])).softmax(1)[0]
        if CLASSES[p.argmax()] == name and p.max() >= SURE and "grown" not in words[name]:
            known[name] = dict(gates), p.max().item()
    photographs = sorted(name for name in known if "photograph" in words[name])
    pairs = {}
    for name in photographs:
        for donor in sorted(known.keys() - {name}):
            with override_gates(net, known[donor][0]):
                p = net(normalize(samples[name][None])).softmax(1)[0]
            pairs[name, donor] = known[name][1] - p[CLASSES.index(name)].item()
    picture, donor = min(pairs, key=lambda pair: abs(pairs[pair] - median))
    sums: dict[str, torch.Tensor] = {}
    for images in data.train_images[:COUNT].split(250):
        with record_gates(net) as gates:
            net(normalize(images))
        sums = {block: sums.get(block, 0) + s.sum(0) for block, s in gates.items()}
    frozen = {block: [round(v, 3) for v in (s / COUNT).tolist()] for block, s in sums.items()}
    found = {
        "picture": picture,
        "donor": donor,
        "fall": round(pairs[picture, donor], 3),
        "median": round(median, 3),
        "frozen": frozen,
    }
    Path(PAIR).write_text(json.dumps(found) + "\n", encoding="utf-8", newline="\n")
    print(median, picture, donor, {f"{a} {b}": round(fall, 3) for (a, b), fall in pairs.items()})


if __name__ == "__main__":
    main()
