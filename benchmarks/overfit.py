"""Whether training can learn at all: fifty objects by heart (docs/learning.md says what came of it).

Trains `slim` on fifty objects and judges it by the same fifty, in views that differ from those trained with.
A pipeline whose boxes, views, losses or decoding disagree somewhere stays low.
"""

import argparse
from pathlib import Path

import torch

from slimtrack.learning.augment import CALM
from slimtrack.learning.loop import machine, train
from slimtrack.learning.recipes import Named
from slimtrack.learning.recipes.slim import Slim
from slimtrack.learning.schedule import Schedule
from slimtrack.learning.sources import Choice, read_sets

OBJECTS = 50


class Calm(Slim):
    """`slim` without strong augmentation."""

    strength = CALM


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="as for `slimtrack train`")
    parser.add_argument("--start", type=Path, help="ImageNet weights of MobileNetV2")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=160)
    args = parser.parse_args()
    torch.manual_seed(0)
    recipe = Calm()
    if args.start:
        recipe.start(args.start)
    (data,) = read_sets([args.data], Choice(limit=OBJECTS), ["train"])
    schedule = Schedule(steps=args.steps, pairs=16, average=0.98, judged=128, every=60.0)
    named = Named(recipe, f"{__file__}:Calm", {})
    result = train(named, data, data, args.out, schedule, machine(accelerator="cpu"))
    print(", ".join(f"{name} {value:.3f}" for name, value in result.figures.items()))


if __name__ == "__main__":
    main()
