"""Google's checkpoints: every variable lands where it belongs, and nothing else is taken for one."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from rtbench.core.action import convention
from rtbench.policy.rt1.checkpoint import COUNTER, load
from rtbench.policy.rt1.efficientnet import IMAGENET_STD
from rtbench.policy.rt1.google_checkpoint import (
    CONVENTION,
    ENCODER,
    MULTIROBOT,
    NETWORK,
    PAPER,
    ReleasedError,
    places,
    read_released,
    table,
)
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.tensorflow_reader import TensorFlowCheckpoint
from rtbench.policy.rt1.weights import GOOGLE
from tests.helpers.commands import rtbench, width
from tests.helpers.google_checkpoints import FakeReader, as_saved, fake_tensorflow, values, write_files

BACKBONE = f"{NETWORK}_image_tokenizer/_tokenizer/net/layer_with_weights-"
LAYER = f"{NETWORK}_transformer/_layers/3/"
TOKEN = f"{NETWORK}_transformer/_token_emb/"


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def arrays():
    return values(PAPER)


@pytest.fixture(scope="module")
def released(arrays):
    return read_released(FakeReader(arrays))


def _elements(size, part=""):
    """Trainable numbers of the variables whose name has that part."""
    fixed = (
        "moving_mean",
        "moving_variance",
        "weights-0/mean",
        "weights-0/variance",
        "count",
        "step",
        "counter",
    )
    shapes = {name: shape for name, shape in table(size).items() if part in name and not name.endswith(fixed)}
    return sum(math.prod(shape) for shape in shapes.values())


def test_the_table_has_the_published_numbers_of_parameters():
    assert len(table(PAPER)) == 734
    assert len(table(MULTIROBOT)) == 762
    assert _elements(PAPER) == 35_252_128
    assert _elements(MULTIROBOT) == 111_144_352 + 131_584
    assert _elements(PAPER, "_token_learner") == 34_376
    assert _elements(PAPER, "_transformer") == 19_376_384
    assert _elements(PAPER, "_tokenizer/_tokenizer") == 15_709_784
    assert _elements(PAPER, "_action_token_emb") == 131_584


@pytest.mark.parametrize("size", [PAPER, MULTIROBOT], ids=lambda size: size.name)
def test_every_variable_has_its_own_parameter_and_every_parameter_its_variable(size, monkeypatch):
    monkeypatch.setattr(RT1, "_initialise", lambda self, generator: None)
    with torch.device("meta"):
        state = RT1(size, convention="rt1").state_dict()
    placed, expected = places(size), table(size)
    assert len(set(placed.values())) == len(placed)
    assert set(placed.values()) == {name for name in state if not name.endswith(COUNTER)}
    for name, parameter in placed.items():
        assert math.prod(expected[name]) == state[parameter].numel(), name
    dead = expected.keys() - placed.keys()
    assert dead == {"global_step", "save_counter", f"{BACKBONE}0/count"}


def test_a_checkpoint_becomes_the_paper_s_network_with_truncated_labels(released):
    network = released.network
    assert (network.convention, network.mode_slot, network.size.name) == ("rt1-reference", 0, "paper")
    assert sum(parameter.numel() for parameter in network.parameters()) == 35_252_128
    assert released.used == 731
    assert not network.training
    assert not released.optimizer


def _float(module, x):
    with torch.inference_mode():
        return module(torch.from_numpy(x)).numpy()


def _close(ours, theirs):
    return np.abs(ours - theirs).max() <= 1e-5 * max(1, np.abs(theirs).max())


def test_dense_layers_compute_what_tensorflow_s_do(released, arrays):
    x = np.random.default_rng(0).standard_normal((3, 512)).astype(np.float32)
    network = released.network
    assert _close(_float(network.transformer.embed, x), x @ arrays[TOKEN + "kernel"] + arrays[TOKEN + "bias"])
    film = f"{NETWORK}_image_tokenizer/_tokenizer/film_layer/_projection_mult/"
    assert _close(_float(network.film.multiply, x), x @ arrays[film + "kernel"] + arrays[film + "bias"])
    film = f"{BACKBONE}9/_projection_add/"
    found = _float(network.backbone.blocks[0].film.add, x)
    assert _close(found, x @ arrays[film + "kernel"] + arrays[film + "bias"])
    position = f"{NETWORK}_transformer/_position_emb/kernel"
    assert np.array_equal(network.transformer.position.weight.detach().numpy().T, arrays[position])


def test_attention_computes_what_tensorflow_s_does(released, arrays):
    x = np.random.default_rng(1).standard_normal((1, 5, 512)).astype(np.float32)
    layer = released.network.transformer.layers[3]

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
        return scaled * arrays[f"{LAYER}{name}/gamma"] + arrays[f"{LAYER}{name}/beta"]

    def heads(name):
        here = f"{LAYER}mha1/_{name}_dense/"
        return (
            np.einsum("bld,dhk->bhlk", norm(x, "layernorm1"), arrays[here + "kernel"])
            + (arrays[here + "bias"][:, None])
        )

    scores = heads("query") @ heads("key").swapaxes(-1, -2) / math.sqrt(128)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    attended = weights / weights.sum(-1, keepdims=True) @ heads("value")
    out = f"{LAYER}mha1/_output_dense/"
    y = x + np.einsum("bhlk,hkd->bld", attended, arrays[out + "kernel"]) + arrays[out + "bias"]
    y = y + norm(y, "layernorm2") @ arrays[LAYER + "ff/kernel"] + arrays[LAYER + "ff/bias"]
    with torch.inference_mode():
        found = layer(torch.from_numpy(x), torch.ones(5, 5, dtype=torch.bool)).numpy()
    assert _close(found, y)


@pytest.mark.parametrize(
    ("number", "block", "part"),
    [(1, None, "stem"), (10, 1, "depthwise"), (17, 2, "expand"), (46, 5, "depthwise")],
)
def test_convolutions_compute_what_tensorflow_s_do(released, arrays, number, block, part):
    backbone = released.network.backbone
    conv = getattr(backbone if block is None else backbone.blocks[block], part).conv
    depthwise = part == "depthwise"
    kernel = arrays[f"{BACKBONE}{number}/{'depthwise_kernel' if depthwise else 'kernel'}"]
    side, stride, pad = kernel.shape[0], conv.stride[0], conv.padding[0]
    x = np.random.default_rng(2).standard_normal((1, 12, 12, kernel.shape[2])).astype(np.float32)
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = sliding_window_view(padded, (side, side), axis=(1, 2))[:, ::stride, ::stride]
    rule = "nyxcab,abcm->nyxc" if depthwise else "nyxcab,abco->nyxo"
    found = _float(conv, np.ascontiguousarray(x.transpose(0, 3, 1, 2))).transpose(0, 2, 3, 1)
    assert _close(found, np.einsum(rule, windows, kernel))


def test_batch_norm_and_normalisation_keep_their_statistics(released, arrays):
    norm = released.network.backbone.blocks[2].expand.norm
    ours = {
        "gamma": norm.weight,
        "beta": norm.bias,
        "moving_mean": norm.running_mean,
        "moving_variance": norm.running_var,
    }
    for theirs, tensor in ours.items():
        assert np.array_equal(tensor.detach().numpy(), arrays[f"{BACKBONE}18/{theirs}"])
    assert np.array_equal(released.network.backbone.mean.numpy(), arrays[f"{BACKBONE}0/mean"])


def test_images_are_divided_by_imagenet_s_deviation_where_the_checkpoint_holds_it_as_variance(arrays):
    changed = {**arrays, f"{BACKBONE}0/variance": np.array(IMAGENET_STD, dtype=np.float32)}
    network = read_released(FakeReader(changed)).network
    assert np.allclose(network.backbone.std.numpy(), IMAGENET_STD, rtol=1e-6)


def _without(arrays, *names):
    return {name: array for name, array in arrays.items() if name not in names}


def _changed(arrays, name, **to):
    array = arrays[name].reshape(to["shape"]) if "shape" in to else arrays[name].astype(to["dtype"])
    return {**arrays, name: array}


def _with_nan(arrays):
    kernel = arrays[TOKEN + "kernel"].copy()
    kernel[3, 4] = np.nan
    return {**arrays, TOKEN + "kernel": kernel}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: _without(a, TOKEN + "bias"), f"has no variable {TOKEN}bias; fetch"),
        (lambda a: _without(a, TOKEN + "bias", LAYER + "ff/bias"), r"_layers/3/ff/bias \(and 1 more\)"),
        (lambda a: {**a, TOKEN + "scale": a[TOKEN + "bias"]}, f"unknown variable {TOKEN}scale"),
        (
            lambda a: {**_without(a, TOKEN + "bias"), TOKEN + "bais": a[TOKEN + "bias"]},
            f"unknown variable {TOKEN}bais. Expected '{TOKEN}bias'?",
        ),
        (
            lambda a: _changed(a, f"{BACKBONE}3/depthwise_kernel", shape=(3, 3, 1, 40)),
            r"weights-3/depthwise_kernel has shape 3 x 3 x 1 x 40, expected 3 x 3 x 40 x 1\.",
        ),
        (
            lambda a: _changed(a, "save_counter", shape=(1,)),
            "save_counter has shape 1, expected a single number",
        ),
        (
            lambda a: _changed(a, LAYER + "ff/bias", dtype="float16"),
            "3/ff/bias is of float16, expected float32",
        ),
        (_with_nan, f"{TOKEN}kernel holds NaN"),
        (lambda a: {}, r"holds no RT-1: .*none of its 0 variables"),
        (lambda a: {"model_variables/1": a[TOKEN + "bias"]}, "holds no RT-1"),
    ],
)
def test_what_is_no_released_checkpoint_is_refused_by_name(arrays, spoil, message):
    with pytest.raises(ReleasedError, match=f"^rt1main/ckpt-424760: .*{message}"):
        read_released(FakeReader(spoil(arrays)))


def test_a_size_that_was_not_released_is_named(arrays):
    name = f"{NETWORK}_transformer/_layers/0/mha1/_query_dense/kernel"
    with pytest.raises(
        ReleasedError, match="8 layers of width 256 with heads 4 x 512; released were 8 of width 512"
    ):
        read_released(FakeReader({**arrays, name: np.zeros((256, 4, 512), np.float32)}))


def test_a_layer_that_is_too_much_is_refused(arrays):
    more = {name.replace("/3/", "/8/"): array for name, array in arrays.items() if name.startswith(LAYER)}
    with pytest.raises(ReleasedError, match=r"unknown variable .*_layers/8/.* \(and 13 more\)"):
        read_released(FakeReader({**arrays, **more}))


def test_the_command_writes_weights_that_can_be_loaded(tmp_path, arrays, released, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", fake_tensorflow(as_saved(arrays)))
    file = tmp_path / "rt1main.safetensors"
    said = rtbench("import", "rt1", write_files(tmp_path / "rt1main"), "--output", file)
    assert (said.code, said.err) == (0, "")
    assert "paper, 35,252,128 trainable parameters" in said.out
    assert "4 variables of the optimizer" in said.out
    assert "layer_with_weights-0/count" in said.out
    assert width(said.out.replace(str(tmp_path), "")) <= 80
    checkpoint = load(file, convention="rt1-reference", size=PAPER)
    assert checkpoint.origin.encoder == ENCODER
    assert checkpoint.origin.source == GOOGLE
    expected = released.network.state_dict()
    assert all(
        torch.equal(tensor, expected[name]) for name, tensor in checkpoint.network.state_dict().items()
    )


def test_the_checkpoint_with_the_largest_number_is_read(tmp_path, arrays, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", fake_tensorflow(arrays))
    for number in (90, 1000):
        write_files(tmp_path, number)
    assert TensorFlowCheckpoint(tmp_path).where.endswith("ckpt-1000")


def _lfs(folder):
    write_files(folder)
    (folder / "ckpt-424760.data-00000-of-00001").write_text("version https://git-lfs.github.com/spec/v1\n")


def _no_data(folder):
    write_files(folder)
    (folder / "ckpt-424760.data-00000-of-00001").unlink()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "no such folder"),
        (lambda folder: folder.mkdir(), "has no ckpt-N.index; give the folder that has one."),
        (lambda folder: (folder.mkdir(), write_files(folder / "rt1main")), "Did you mean"),
        (_lfs, "only a pointer of Git LFS; run `git lfs pull`"),
        (_no_data, "ckpt-424760.data-00000-of-00001: no such file"),
        (write_files, r"needs TensorFlow; run `pip install 'rtbench[tensorflow]'`."),
    ],
)
def test_a_folder_that_cannot_be_read_is_an_error_of_one_sentence(tmp_path, monkeypatch, make, message):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    make(tmp_path / "folder")
    said = rtbench("import", "rt1", tmp_path / "folder", "-o", tmp_path / "out.safetensors")
    assert said.code == 2
    assert message in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "out.safetensors").exists()


def test_data_that_are_cut_off_name_the_variable(tmp_path, arrays, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", fake_tensorflow(arrays, broken=(TOKEN + "bias",)))
    said = rtbench("import", "rt1", write_files(tmp_path / "rt1main"), "-o", tmp_path / "out.safetensors")
    assert said.code == 2
    assert f"ckpt-424760: {TOKEN}bias cannot be read: Read less bytes than requested" in said.err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.pt", "weights are written as .safetensors"),
        ("no/out.safetensors", "no folder"),
        ("a.safetensors", "is a folder"),
    ],
)
def test_an_output_that_cannot_be_written_is_told_before_anything_is_read(tmp_path, name, message):
    (tmp_path / "a.safetensors").mkdir()
    said = rtbench("import", "rt1", tmp_path / "nowhere", "-o", tmp_path / name)
    assert said.code == 2
    assert message in said.err


def test_the_backbone_computes_what_keras_computes(arrays):
    """Keras' own EfficientNet-B3, with the same weights and FiLM layers that do nothing."""
    keras = pytest.importorskip("tensorflow").keras
    model = keras.applications.EfficientNetB3(include_top=False, weights=None, input_shape=(None, None, 3))
    arrays = {
        name: np.zeros_like(array) if "_projection_" in name else array for name, array in arrays.items()
    }
    # Without ImageNet's weights Keras leaves the second division out.
    arrays[f"{BACKBONE}0/variance"] = np.array([0.3, 0.2, 0.4], np.float32)
    second = np.sqrt(np.array(IMAGENET_STD, np.float32))
    layers = [layer for layer in model.layers if layer.weights]
    numbers = [k for k in range(235) if f"{BACKBONE}{k}/_projection_add/bias" not in arrays]
    for layer, number in zip(layers, numbers, strict=True):
        names = [weight.name for weight in layer.weights]
        if f"{BACKBONE}{number}/depthwise_kernel" in arrays:
            names = ["depthwise_kernel"]
        layer.set_weights([arrays[f"{BACKBONE}{number}/{name}"] for name in names])
    layers[0].finalize_state()
    image = np.random.default_rng(3).uniform(0, 1, (1, 300, 300, 3)).astype(np.float32)
    mean = arrays[f"{BACKBONE}0/mean"]
    expected = model(((image - mean) / second + mean) * 255, training=False).numpy()
    backbone = read_released(FakeReader(arrays)).network.backbone
    with torch.inference_mode():
        found = backbone(torch.from_numpy(image).permute(0, 3, 1, 2), torch.zeros(1, 512)).permute(0, 2, 3, 1)
    assert expected.shape == (1, 9, 9, 1536)
    assert _close(found.numpy(), expected)


@pytest.fixture(scope="module")
def saved(tmp_path_factory, arrays):
    """A checkpoint that TensorFlow itself has written."""
    tensorflow = pytest.importorskip("tensorflow")
    folder = tmp_path_factory.mktemp("tensorflow") / "rt1main"
    folder.mkdir()
    whole = as_saved(arrays)
    tensorflow.raw_ops.SaveV2(
        prefix=str(folder / "ckpt-424760"),
        tensor_names=list(whole),
        shape_and_slices=[""] * len(whole),
        tensors=list(whole.values()),
    )
    return folder


def test_tensorflow_reads_what_it_wrote(saved, arrays, released):
    found = read_released(TensorFlowCheckpoint(saved))
    expected = released.network.state_dict()
    assert len(found.optimizer) == 4
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found.network.state_dict().items())


def test_a_checkpoint_that_is_cut_off_is_refused(saved, tmp_path):
    for file in saved.iterdir():
        content = file.read_bytes()
        half = len(content) // 2 if ".data" in file.name else len(content)
        (tmp_path / file.name).write_bytes(content[:half])
    with pytest.raises(ReleasedError, match=r"agent/.* cannot be read: "):
        read_released(TensorFlowCheckpoint(tmp_path))
    index = tmp_path / "ckpt-424760.index"
    index.write_bytes(index.read_bytes()[:1000])
    with pytest.raises(ReleasedError, match="ckpt-424760: cannot be read"):
        TensorFlowCheckpoint(tmp_path)


def test_labels_for_imported_weights_are_truncated():
    """Rounded ones, of the convention `rt1`, would be one bin off in nearly half of all values."""
    action = np.zeros(11)  # the middle of the bounds, 127.5 bins from the lower one
    assert set(convention(CONVENTION).encode(action)[1:].tolist()) == {127}
    assert set(convention("rt1").encode(action)[1:].tolist()) == {128}
