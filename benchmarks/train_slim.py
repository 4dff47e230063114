"""Trains tracker networks of our own: `slim`, `slim-lite`, `slim-large` (docs/learning.md).

Needs torch; runs on a GPU where there is one. A start is a file of ImageNet weights (`backbones/starts.py`
says which); a teacher is a folder with FEAR-XS's two networks.
"""

import argparse
from pathlib import Path

from slimtrack.learning.backbones.inverted import MOBILENET_V2
from slimtrack.learning.backbones.starts import efficientnet_lite0, mobilenet_v2
from slimtrack.learning.backbones.thinning import thinned
from slimtrack.learning.data import read_training_set
from slimtrack.learning.export import export
from slimtrack.learning.loop import Schedule, train
from slimtrack.learning.siamese import DESIGNS, Siamese
from slimtrack.learning.teacher import FearTeacher


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("design", choices=sorted(DESIGNS))
    parser.add_argument("--data", type=Path, required=True, help="folder of index.csv and its crops")
    parser.add_argument(
        "--start", type=Path, required=True, help="ImageNet weights of the design's full backbone"
    )
    parser.add_argument("--teacher", type=Path, help="folder of template.onnx and search.onnx")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--pairs", type=int, default=256, help="pairs in a step")
    parser.add_argument("--without", nargs="*", default=(), help="sources to leave out")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    design = DESIGNS[args.design]
    start = (mobilenet_v2 if design.full == MOBILENET_V2 else efficientnet_lite0)(args.start)
    network = Siamese(design)
    network.backbone = thinned(start, design.plan)
    data = read_training_set(args.data, "train", without=args.without, rare=["foda"])
    held_out = read_training_set(args.data, "val", without=args.without)
    teacher = FearTeacher(args.teacher) if args.teacher else None
    schedule = Schedule(args.minutes, pairs=args.pairs)
    trained = train({args.design: network}, data, held_out, args.out, schedule, teacher=teacher)
    export(trained[args.design].cpu(), args.out / args.design)


if __name__ == "__main__":
    main()
