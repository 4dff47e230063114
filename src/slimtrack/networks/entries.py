"""The entries of the catalogue: origin, files with address, size and hash, and how to get each network.

Addresses contain a commit or the first digits of the hash, so that the content does not change; the hash is
checked nevertheless.
"""

from slimtrack.networks.card import Card
from slimtrack.networks.entry import OVERLAP_FILES, Entry, File
from slimtrack.networks.weights import CAFFE_BGR, IMAGENET_MEAN, IMAGENET_SCALE, WEIGHTS

__all__ = ["ENTRIES"]

_GITHUB = "https://raw.githubusercontent.com"
_NANOTRACK = f"{_GITHUB}/HonglinChu/SiamTrackers/248663fde6bf7c40190cf10ee396d5662919ecd3/NanoTrack/models"
_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo"
_VITTRACK = f"{_ZOO}/fef72f8fa7c52eaf116d3df358d24e6e959ada0e/models/object_tracking_vittrack"
_DASIAMRPN = f"{_ZOO}/89696dacd6bd819dfd67dbb0935d778e0dc5cdc4/models/object_tracking_dasiamrpn"

_IMAGENET_BGR = (103.939, 116.779, 123.68)


def _nanotrack(version: int, end: str, **parts: tuple[int, str]) -> Entry:
    """Size and hash of each part, and the end of their published names."""
    origin = f"NanoTrack v{version} (Chu, SiamTrackers), its author's weights"
    name = f"nanotrackv{version}"
    files = (
        File(f"{name}/{part}.onnx", *known, f"{_NANOTRACK}/{name}/nanotrack_{part}{end}.onnx")
        for part, known in parts.items()
    )
    return Entry(Card(name, "Apache-2.0", origin, colors="bgr"), tuple(files))


def _from_torchvision(name: str) -> str:
    weights = WEIGHTS[name]
    return (
        f"download {weights.url} ({weights.size}; torchvision's weights), then run "
        f"`slimtrack network import {weights.file} --as {name} -o FOLDER/{name}.onnx`"
    )


def _overlap(name: str, origin: str, command: str) -> Entry:
    """One of the ATOM family, which users train themselves."""
    parts = tuple(f"{name}/{part}" for part in OVERLAP_FILES)
    make = f"run `{command}` and put the files that it writes into FOLDER/{name}"
    return Entry(Card(name, origin=origin, note="mean, scale inside"), (), make=make, parts=parts)


def _shipped(card: Card, *files: tuple[str, int, str], taps: str = "") -> Entry:
    """A network of our own, which comes with slimtrack; name, size and hash of each file."""
    ours = tuple(File(f"{card.name}/{name}", size, sha256) for name, size, sha256 in files)
    return Entry(card, ours, taps=taps, shipped=True)


ENTRIES = (
    Entry(
        Card(
            "cf_vggm",
            origin="CF-VGG of paper 002 (VGG-M with 1/8 of the filters, distilled), its authors' weights",
            mean=(123.66, 116.77, 103.93),
        ),
        (
            File(
                "cf_vggm/CF_VGGM.mat",
                1_486_113,
                "9fb9836c8d7392755e01959b36fb3882f389180d91334d20a68fd0c1b3d0ad7a",
                f"{_GITHUB}/594422814/CF-VGG/36c1932f7f22e0c22cdff37b3fb9cddb28895f07/"
                "fDeepSTRCF/feature_extraction/networks/CF_VGGM.mat",
            ),
        ),
        (
            File(
                "cf_vggm/cf_vggm.npz",
                394_196,
                "38c323418b651b79b70f408163c500cd8b433a7d91e92c49205db407d62fc691",
            ),
        ),
        taps="conv1 .. relu5, norm1, norm2, pool1, pool2",
    ),
    Entry(
        Card("vgg19", "CC-BY-4.0", "VGG-19, ImageNet", colors="bgr", mean=_IMAGENET_BGR),
        (
            File(
                "vgg19_conv1-3/vgg19_conv1-3.fp16.npz",
                4_326_362,
                "fd7c919954a6e2816faaecac8dfe0640bde7191109120e158c24c3b53680cb19",
            ),
        ),
        taps="conv1_1, relu1_1 (11) .. relu3_4 (34), pool1, pool2",
        make=_from_torchvision("vgg19"),
    ),
    Entry(
        Card("vgg16", "CC-BY-4.0", "VGG-16, ImageNet", colors="bgr", mean=_IMAGENET_BGR),
        (),
        taps="conv1_1, relu1_1 (11) .. relu5_3 (53), pool1 .. pool5",
        make=_from_torchvision("vgg16"),
    ),
    Entry(
        Card("dcfnet", "MIT", "DCFNet (Wang et al., 2017), its authors' weights", mean=(123.0, 117.0, 104.0)),
        (
            File(
                "dcfnet/DCFNet-net-7-125-2.mat",
                38_897,
                "394e15a6b26594dbf2f36ffeeacc3b2cf3ec6bf9f29c5084d24f02830572120c",
                f"{_GITHUB}/foolwood/DCFNet/3b1b850f02bda2e107196f4a1e64c393cdfc0ce8/"
                "DCFNet/DCFNet-net-7-125-2.mat",
            ),
        ),
        (
            File(
                "dcfnet/net_param.mat",
                82_963,
                "0095109bdd7e343065920dd8d8e370fa3cfff51478492637dfb8fad83c43c0fa",
                f"{_GITHUB}/foolwood/DCFNet_pytorch/b8434baa2d136df8f55c1addb3e77f40b3c379fc/track/net_param.mat",
            ),
        ),
        taps="conv1, relu1, conv2, norm1",
    ),
    Entry(
        Card("udt", "MIT", "UDT (Wang et al., CVPR 2019), trained without labels, its authors' weights"),
        (
            File(
                "udt/UDT_Unsupervised.mat",
                38_707,
                "62049de12c5f5b4497d7f1f2d03b73478607b095d7a7a4bb22d540ea2f5f0dfb",
                f"{_GITHUB}/594422814/UDT/0f2fe0b302cbe3b691b0e3aab21465c03377d935/"
                "tracker/UDT/runfiles/UDT_Unsupervised.mat",
            ),
        ),
        taps="convx1_1, relux1_1, convx1_2, norm_x1",
    ),
    Entry(
        Card("squeezenet1.1", "BSD-2-Clause", "SqueezeNet 1.1, ImageNet", colors="bgr", mean=CAFFE_BGR),
        (
            File(
                "squeezenet1.1/squeezenet1.1.fp16.npz",
                2_295_930,
                "c678f76aa68b2c578e50792197cc1848a5935465a68806ad7112beee2bdd7701",
            ),
        ),
        taps="conv1, fire2_squeeze1x1, fire2 .. fire9, conv10",
        make=_from_torchvision("squeezenet1.1"),
    ),
    Entry(
        Card(
            "squeezenet1.0_dc",
            "BSD-2-Clause",
            "SqueezeNet 1.0 after Deep Compression (66 % zeros), ImageNet",
            colors="bgr",
            mean=CAFFE_BGR,
        ),
        (
            File(
                "squeezenet1.0_dc/squeezenet1.0_dc.npz",
                925_661,
                "3459a00a0fa6dec79003bc6059d3f6426d77d852c67aca41ebfd98308b5cf8aa",
            ),
        ),
        taps="conv1, fire2_squeeze1x1, fire2 .. fire9, conv10",
        make="decode https://github.com/songhan/SqueezeNet-Deep-Compression with the decode.py there, save "
        "every layer's arrays as LAYER_w (O, I, kh, kw) and LAYER_b in an .npz file, then run "
        "`slimtrack network import FILE.npz --as squeezenet1.0_dc -o FOLDER/squeezenet1.0_dc.onnx`",
    ),
    Entry(
        Card(
            "resnet18",
            "BSD-3-Clause",
            "ResNet-18 of torchvision, ImageNet, batch normalisation folded in",
            mean=IMAGENET_MEAN,
            scale=IMAGENET_SCALE,
        ),
        (
            File(
                "resnet18_partial/resnet18_conv1-layer3_folded.fp16.npz",
                5_175_606,
                "226450f420c1fac40aec6cf922ef639faf6d713c5e3529e05ff27fce55a200e1",
            ),
        ),
        (
            File(
                f"resnet18/{WEIGHTS['resnet18'].file}",
                46_830_571,
                "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
                WEIGHTS["resnet18"].url,
            ),
        ),
        taps="conv1, relu1, layer1_0_conv1, layer1 .. layer3",
    ),
    _shipped(
        Card(
            "cf-vgg",
            "Apache-2.0",
            "CF-VGG's shape (paper 002), trained by slimtrack's recipe cf-vgg",
            mean=(123.68, 116.78, 103.94),
        ),
        ("cf-vgg.onnx", 213_932, "6a84dbf1b7343eb31c4697fe07d89fffbb80b8fb12e1e4dcbacecca9c706cca9"),
        taps="relu1 .. relu5, norm1, norm2, pool1, pool2",
    ),
    _shipped(
        Card("slim", "Apache-2.0", "MobileNetV2 thinned to half, trained by slimtrack.learning"),
        ("template.onnx", 755_361, "0a60e2a3b0e2b6062c2c7fca653b9742f9c72c70db7f5155bc3f3f1826e6443e"),
        ("search.onnx", 954_319, "4823a140f2ecd9cd47007a2accea88b839e740dc4e995326a5e13cccc8821d78"),
    ),
    _shipped(
        Card(
            "slim-large",
            "Apache-2.0",
            "slim-large: EfficientNet-Lite0 thinned, trained by slimtrack.learning",
        ),
        ("template.onnx", 1_416_966, "e57d2baea1bf70a03941c98302df5fb76036d9011f1cfd32d6831c9a7a61fa9e"),
        ("search.onnx", 1_747_460, "3d5ff055f0a241a9f6e800893305d91da3c221fee7507fd440f49f61c5331d84"),
    ),
    _overlap("atom", "ATOM's predictor on ResNet-18, of your training", "slimtrack train atom .."),
    _overlap("drnet", "DRNet's predictor on ResNet-18, of your training", "slimtrack train drnet .."),
    _shipped(
        Card(
            "matom",
            "Apache-2.0",
            "ATOM's student on MobileNetV2 (paper 003), trained by slimtrack's recipe cfkd",
            note="mean, scale inside",
        ),
        ("backbone.onnx", 1_103_355, "c53fd672d75234b3c2f43257ddae31db9371ba4aedffbd6c80436d4af672ebf1"),
        ("search.onnx", 297_721, "aded383a5760c86a75e4a69a98dc9501a0ff549f18534f99288f15dd060fe64f"),
        ("reference.onnx", 130_346, "263efa24731b95a3afcb3805c20717440ee7aff946e8b14ae0fc622a79c87ee3"),
        ("head.npz", 352_116, "5db4028eb4c39ba9b14763ec8648c18caf41043050b915a534bc99b18f49db7c"),
    ),
    _shipped(
        Card(
            "mdrnet",
            "Apache-2.0",
            "DRNet's student on MobileNetV2 (paper 003), trained by slimtrack's recipe cfkd",
            note="mean, scale inside",
        ),
        ("backbone.onnx", 1_103_355, "99a4f03fc7ddeeda243ad55ccb221119bc85ba14062aa941a24ab2e5c51a3147"),
        ("search.onnx", 297_721, "0c78f984c6e69394a6a8827a619376043ba7c24219ded542c5ce5e47b81dddbf"),
        ("reference.onnx", 130_346, "2ea5a91a00773f0cbc48967664791eb747a5b0d58ca56ca2c96e32986ee48bfc"),
        ("head.npz", 352_890, "559a64c17e856a384878d3c8dc5af4dd777401cd6ce36034841e5ddbc178a6b1"),
    ),
    _nanotrack(
        1,
        "_sim",
        backbone=(767_819, "f6fdf311bdc846510c2f9f0b2b8159c7e0cf5d80ed18c9079faeb32db460cba9"),
        head=(392_202, "4c987e5121cc400b6175f2168c30c84857864fe36d5e7a14df0c27e8e5b9540d"),
    ),
    _nanotrack(
        2,
        "_sim",
        backbone=(1_056_849, "530bdd0cd00f19afab79a863e71ba71e3312395a5dc9151af675082bdaaa2fc4"),
        head=(726_198, "0d8c0637be849f092cc7236cae02e55c8b9455ebe37ba50601d6115db4247cd9"),
    ),
    _nanotrack(
        3,
        "",
        backbone=(1_431_635, "50be1320abf9384fd3479ea829f95e244cf3f3838190c5ab60c750fb8c1ce828"),
        head=(1_183_740, "75357903be3f4817c965af16cb5a11fd32b1467f597a408405a98635ac63f61d"),
    ),
    Entry(
        Card(
            "fear_xs",
            "MIT",
            "FEAR-XS (Borsuk et al., ECCV 2022), exported to ONNX",
            note="mean, scale inside",
        ),
        (
            File(
                "fear_xs/template.onnx",
                3_060_076,
                "9f96fbb8a6eea5f9b5052df91f6d958e8cba00e260cec83079c41b0189fcc27b",
            ),
            File(
                "fear_xs/search.onnx",
                5_412_854,
                "ea2c527bac529245d6574a8ca64cf7943aea2155134df7a08db8b0d5f7273be2",
            ),
        ),
        make="export FEAR-XS-NoEmbs.ckpt of https://github.com/PinataFarms/FEARTracker in two halves, with "
        "its normalisation inside: FOLDER/fear_xs/template.onnx (image 128x128 -> features) and "
        "FOLDER/fear_xs/search.onnx (image 256x256, template_features -> bbox, cls)",
    ),
    Entry(
        Card(
            "vittrack",
            "Apache-2.0",
            "VitTrack (Liu, OpenCV's model zoo, September 2023)",
            mean=IMAGENET_MEAN,
            scale=IMAGENET_SCALE,
        ),
        (
            File(
                "vittrack/vittrack.onnx",
                714_726,
                "2990f0b7cd44d92afa48cd97db6de7be113fc1d9594fddb74e2725c10478e91d",
                f"{_VITTRACK}/object_tracking_vittrack_2023sep.onnx",
            ),
        ),
    ),
    Entry(
        Card(
            "dasiamrpn", "Apache-2.0", "DaSiamRPN (Zhu et al., ECCV 2018), OpenCV's model zoo", colors="bgr"
        ),
        (
            File(
                "dasiamrpn/dasiamrpn_model.onnx",
                91_040_894,
                "e88370b85cbad914a5eb414d9d9e0820f87fd0cd89b65205a766174206c35719",
                f"{_DASIAMRPN}/object_tracking_dasiamrpn_model_2021nov.onnx",
            ),
            File(
                "dasiamrpn/dasiamrpn_kernel_cls1.onnx",
                23_603_598,
                "d85b03e2aeded6cc9be945dfdc3ed6b8f4151f101e485037b6c5d5b36a6c4204",
                f"{_DASIAMRPN}/object_tracking_dasiamrpn_kernel_cls1_2021nov.onnx",
            ),
            File(
                "dasiamrpn/dasiamrpn_kernel_r1.onnx",
                47_206_788,
                "082c85d231b88b97a1b2a50e73b640a332c5d98d7c1d80b5da9ab534fa7a9e5b",
                f"{_DASIAMRPN}/object_tracking_dasiamrpn_kernel_r1_2021nov.onnx",
            ),
        ),
    ),
)
"""Networks that are known by name."""
