"""Whole networks: what is left of them, and that they still run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from generated import Generated, made

from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.compression.information import METRICS, Metric, reduction, target_cells
from slimtrack.compression.projection import projected
from slimtrack.compression.pruning import compress
from slimtrack.compression.settings import Settings
from slimtrack.errors import InputError, UnknownNameError
from slimtrack.networks.importers import architectures as plans
from slimtrack.networks.network import Network

Scene = tuple[Image, Box]
Vgg = Callable[[int], Network]

TABLE_II = {
    "": (1, 1), "0.5/conv4_3": (0.934, 0.846), "0.75/conv4_3": (0.901, 0.768), "0.875/conv4_3": (0.884, 0.73),
    "0.5/conv4_2": (0.81, 0.556), "0.5/conv4_1": (0.785, 0.498), "0.5/conv3_3": (0.785, 0.614),
    "0.5/conv3_2": (0.752, 0.652), "0.5/conv3_1": (0.785, 0.672), "0.5/conv2_2": (0.785, 0.7),
    "0.5/conv2_1": (0.785, 0.715), "0.5/conv1_2": (0.785, 0.722), "0.5/conv1_1": (0.815, 0.727),
    "0.25/all": (0.502, 0.418), "0.5/all": (0.227, 0.192), "0.75/all": (0.06, 0.053),
}  # fmt: skip
"""Configuration -> shares of operations and parameters left. From 0.5/Conv4-2 down Conv4-3 has 64 filters."""


def sizes(network: Network) -> tuple[int, int]:
    return network.flops(224, "plain"), sum(layer.parameters for layer in network.layers)


@pytest.mark.parametrize("configuration", TABLE_II)
def test_table_ii_of_the_paper(configuration: str, vgg: Vgg, scene: Scene) -> None:
    network = vgg(1).truncate("relu4_3")
    how = Settings(configuration, "firstK" if configuration else "none", d=64, d_prime=64, reconstruct="none")
    pruned = compress(network, "relu4_3", *scene, how).network
    shares = [new / old for new, old in zip(sizes(pruned), sizes(network), strict=True)]
    assert np.allclose(shares, TABLE_II[configuration], atol=0.001)


def test_a_pruned_network_is_a_plain_one(vgg: Vgg, scene: Scene, tmp_path: Path) -> None:
    network = vgg(8)
    found = compress(network, "relu4_3", *scene, Settings("0.5/all", d=16, d_prime=32, reconstruct="all"))
    batch = network.prepare(scene[0])
    maps = found.network.run(batch)["relu4_3"]
    assert maps.shape == (1, 16, 8, 8)
    assert np.isfinite(maps).all()
    assert [layer.out_channels for layer in found.network.layers][-3:] == [32, 32, 16]
    assert all(len(kept) * 2 == network.layer(name).out_channels for name, kept in found.kept.items())
    found.network.save(tmp_path / "pruned.onnx")
    assert np.array_equal(Network.load(tmp_path / "pruned.onnx").run(batch)["relu4_3"], maps)
    again = compress(network, "relu4_3", *scene, Settings("0.5/all", d=16, d_prime=32, reconstruct="all"))
    assert np.array_equal(again.network.run(batch)["relu4_3"], maps)


def test_reconstruction_brings_the_target_back(vgg: Vgg, scene: Scene) -> None:
    """Least squares on the target cannot be worse there than the filters as they were."""
    network = vgg(8).truncate("relu2_1")
    batch = network.prepare(scene[0])
    lost = {}
    for rebuild in ("none", "all"):
        how = Settings("0.5/conv1_2", d=16, d_prime=16, reconstruct=rebuild, refit=1e-6, cells=1 << 20)
        found = compress(network, "relu2_1", *scene, how)
        places = found.kept["conv2_1"]
        whole, ours = (
            net.tapped({"out": "conv2_1"}).run(batch, "out")["out"][0] for net in (network, found.network)
        )
        target = np.s_[:, 11:21, 11:21]
        lost[rebuild] = float(np.square(whole[places][target] - ours[target]).sum())
    assert lost["all"] < 0.9 * lost["none"]


def test_proposed_keeps_more_of_the_target_than_the_first_filters(vgg: Vgg, scene: Scene) -> None:
    network = vgg(8).truncate("relu3_1")
    batch = network.prepare(scene[0])
    whole = network.run(batch)["relu3_1"][0]
    lost = {}
    for method in ("proposed", "maxK", "firstK"):
        how = Settings("0.5/conv2_2", method, d=32, d_prime=32, reconstruct="none", background=0)  # type: ignore[arg-type]
        ours = compress(network, "relu3_1", *scene, how).network.run(batch)["relu3_1"][0]
        lost[method] = float(np.square(whole - ours)[:, 6:10, 6:10].sum())
    assert lost["proposed"] < lost["firstK"]


NETWORKS: dict[str, tuple[Callable[[], Network], str]] = {
    "squeezenet": (
        lambda: made(plans.squeezenet(
            Generated({"conv1": 8} | {f"fire{i}_{part}": 8 for i in range(2, 10)
                       for part in ("squeeze1x1", "expand1x1", "expand3x3")}), 3, (1, 3, 5))),
        "fire4",
    ),
    "resnet18": (
        lambda: made(plans.resnet(
            Generated({"conv1": 8, "layer2_0_downsample_0": 8, "layer3_0_downsample_0": 8}
                      | {f"layer{n}_{b}_conv{i}": 8 for n in (1, 2, 3) for b in (0, 1) for i in (1, 2)}),
            (2, 2, 2))),
        "layer3",
    ),
    "alexnet": (lambda: made(plans.alexnet(Generated({f"conv{i}": 8 for i in range(1, 6)}), 2)), "relu5"),
    "cf_vgg": (lambda: made(plans.cf_vgg(Generated({f"conv{i}": 8 for i in range(1, 6)}))), "relu5"),
    "vgg-m at a convolution": (
        lambda: made(plans.cf_vgg(Generated({f"conv{i}": 8 for i in range(1, 6)}))), "conv5",
    ),
}  # fmt: skip


@pytest.mark.parametrize("method", ["proposed", "maxK", "firstK", "pca", "none"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_kind_of_network(name: str, method: str, scene: Scene) -> None:
    build, tap = NETWORKS[name]
    network = build()
    patch = np.tile(scene[0], (3, 3, 1))
    side = patch.shape[0]
    how = Settings("0.5/all", method, d=4, d_prime=4, reconstruct="all")  # type: ignore[arg-type]
    found = compress(network, tap, patch, Box(side / 3, side / 3, side / 3, side / 3), how)
    maps = found.network.run(network.prepare(patch))[tap]
    assert np.isfinite(maps).all()
    assert maps.shape[1] == (network.tap(tap).channels if method == "none" else 4)
    assert found.network.tap(tap).stride == network.tap(tap).stride
    pruned = {layer.name: layer.out_channels for layer in found.network.layers}
    if method not in ("pca", "none"):
        assert all(pruned[layer] == 4 for layer in found.plan.ratios)
        assert len(found.plan.ratios) >= 3


def test_only_what_is_inside_of_residual_blocks_goes(scene: Scene) -> None:
    build, tap = NETWORKS["resnet18"]
    found = compress(build(), tap, *scene, Settings("0.5/all", d=4))
    assert all(name.endswith("_conv1") for name in found.plan.ratios)


def test_the_adaptive_rule_prunes_more_as_lambda_grows(vgg: Vgg, scene: Scene) -> None:
    left = []
    for weight in (0.001, 0.05, 1.0):
        how = Settings("0.5/all", d=16, d_prime=16, reconstruct="none", adaptive=weight)
        left.append(sum(map(len, compress(vgg(8), "relu3_3", *scene, how).kept.values())))
    assert left[0] > left[1] > left[2]


def test_sampled_cells_choose_as_all_cells_do(vgg: Vgg, scene: Scene) -> None:
    few, many = (
        compress(vgg(4), "relu2_2", *scene, Settings("0.5/conv1_1+0.5/conv1_2", d=16, cells=cells)).kept
        for cells in (512, 1 << 20)
    )
    for name in ("conv1_1", "conv1_2"):
        assert len(np.intersect1d(few[name], many[name])) >= 0.7 * len(many[name])


def test_a_projection_goes_into_a_convolution_that_is_the_tap(vgg: Vgg, scene: Scene) -> None:
    network = vgg(8).truncate("conv2_1")
    components = np.linalg.qr(np.random.default_rng(0).normal(size=(16, 5)))[0]
    folded = projected(network, "conv2_1", components)
    batch = network.prepare(scene[0])
    assert len(folded.layers) == len(network.layers)
    expected = np.einsum("cd,nchw->ndhw", components, network.run(batch)["conv2_1"])
    assert np.allclose(folded.run(batch)["conv2_1"], expected, atol=1e-4)


def test_progress_is_told_to_the_end(vgg: Vgg, scene: Scene) -> None:
    seen: list[tuple[str, int, int]] = []
    compress(vgg(16), "relu2_2", *scene, Settings("0.5/all", d=4, reconstruct="all"),
             lambda *now: seen.append(now))  # fmt: skip
    assert [step for _, step, _ in seen] == list(range(len(seen)))
    assert seen[-1][1] == seen[-1][2]
    assert "channels of conv2_1" in {what for what, _, _ in seen}


@pytest.mark.parametrize(
    ("settings", "error", "match"),
    [
        ({"configuration": "half/all"}, InputError, "ratio/layer"),
        ({"configuration": "1/all"}, InputError, "not in 0..1"),
        ({"configuration": "0.5/conv9"}, UnknownNameError, "conv9"),
        ({"reconstruct": "conv9"}, UnknownNameError, "reconstruct"),
        ({"method": "lastK"}, InputError, "lastK"),
        ({"d": 0}, InputError, "d=0"),
        ({"background": -1.0}, InputError, "negative"),
    ],
)
def test_settings_are_refused_in_a_sentence(
    settings: dict[str, object], error: type[Exception], match: str, vgg: Vgg, scene: Scene
) -> None:
    with pytest.raises(error, match=match):
        compress(vgg(16), "relu2_2", *scene, Settings(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", ["l2", "l1", "l0"])
@pytest.mark.parametrize("with_error", [True, False])
def test_the_last_layer_is_reduced_by_the_settings_metric_and_error(
    metric: Metric, with_error: bool, vgg: Vgg, scene: Scene
) -> None:
    network, (patch, target) = vgg(8).truncate("relu2_1"), scene
    how = Settings("", d=4, d_prime=5, metric=metric, error=with_error)
    found = compress(network, "relu2_1", patch, target, how).reduction
    tap = network.tap("relu2_1")
    maps = network.run(network.prepare(patch))["relu2_1"][0]
    mask = target_cells(maps.shape[1:], tap.stride, tap.offset, target)
    options = [
        reduction(maps, mask, 4, d_prime=5, metric=m, with_error=e).channels.tolist()
        for m, e in [(metric, with_error), *((m, not with_error) for m in METRICS)]
    ]
    assert found is not None
    assert found.channels.tolist() == options[0]
    assert options[0] not in options[1:]  # so that another setting would be seen


def test_reconstruction_knows_that_the_bias_is_added(vgg: Vgg, scene: Scene) -> None:
    """A channel without output goes: the filters that read it need no change, whatever their biases."""
    network = vgg(8).truncate("relu2_1")
    weights, bias = (np.array(array) for array in network.weights("conv1_2"))
    weights[4:], bias[4:] = 0, -1.0
    network = network.replace("conv1_2", weights, bias)
    weights, _ = network.weights("conv2_1")
    network = network.replace("conv2_1", weights, np.linspace(-3, 3, len(weights), dtype=np.float32))
    how = Settings("0.5/conv1_2", d=16, d_prime=16, reconstruct="all", refit=1e-9, cells=1 << 20)
    found = compress(network, "relu2_1", *scene, how)
    assert found.kept["conv1_2"].tolist() == [0, 1, 2, 3]
    batch = network.prepare(scene[0])
    whole, ours = (
        net.tapped({"out": "conv2_1"}).run(batch, "out")["out"][0] for net in (network, found.network)
    )
    target = np.s_[:, 11:21, 11:21]
    np.testing.assert_allclose(ours[target], whole[found.kept["conv2_1"]][target], atol=1e-2)
