# SPDX-License-Identifier: Apache-2.0
"""What every system must do: build from plain values, learn, embed, be indifferent to row order."""

import dataclasses
import functools
import inspect
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax import systems
from medst_jax.options import OptionError
from tests.systems.make_batch import LABELS, OPTIONS, OWN, TEXT, make_batch


def _options(name: str) -> dict:
    fields = {field.name for field in dataclasses.fields(systems.system_class(name).Options)}
    known = {key: value for key, value in {**OPTIONS, **TEXT}.items() if key in fields}
    return {**known, **OWN.get(name, {})}


@pytest.fixture(scope="module", params=systems.available())
def built(request):
    return request.param, systems.build(request.param, **_options(request.param))


@pytest.fixture(scope="module")
def method_of(built):
    """method(name) runs that method of the system, compiled once for each shape it is given."""
    graph, state = nnx.split(built[1])

    @functools.cache
    def method(name):
        def run(state, *arguments, **options):
            return getattr(nnx.merge(graph, state, copy=True), name)(*arguments, **options)

        return functools.partial(jax.jit(run), state)

    return method


@pytest.fixture(scope="module")
def step(built):
    """(batch, key) to ((loss, metrics), gradient), compiled once for the module's batch."""
    _, system = built
    graph, params, rest = nnx.split(system, nnx.Param, ...)

    @jax.jit
    def run(batch, key):
        def loss(params):
            return nnx.merge(graph, params, rest, copy=True).loss(batch, rngs=key)

        return jax.value_and_grad(loss, has_aux=True)(params)

    return run


def test_loss_and_gradient_are_finite_and_reach_every_encoder(built, step):
    _, system = built
    (value, metrics), gradient = step(make_batch(), jax.random.key(0))
    assert value.dtype == jnp.float32 and np.isfinite(value)
    for total, count in metrics.values():
        assert np.isfinite(total) and np.isfinite(count)
    flat = nnx.to_flat_state(gradient)
    for path, variable in flat:
        assert np.all(np.isfinite(variable[...])), path
    moved = {path[0] for path, variable in flat if np.any(variable[...] != 0)}
    assert ("image_encoder" in moved) == type(system).has_image
    # A frozen encoder has no parameter that could move.
    text = system.text_encoder
    trains = text is not None and bool(nnx.to_flat_state(nnx.state(text, nnx.Param)))
    assert ("text_encoder" in moved) == trains


def test_what_probes_read_is_trained_throughout(built, step):
    _, system = built
    if not type(system).has_image:
        pytest.skip("it has no image encoder")
    batch = make_batch()
    graph, params, rest = nnx.split(system, nnx.Param, ...)

    @jax.jit
    @jax.grad
    def reads(params):
        module = nnx.merge(graph, params, rest, copy=True)
        return jnp.sum(jnp.square(module.encode_image(batch["frontal"]).features))

    trained = step(batch, jax.random.key(0))[1]
    moved = [
        {path for path, v in nnx.to_flat_state(g) if np.any(v[...] != 0)}
        for g in (reads(params), trained)
    ]
    assert moved[0] and not moved[0] - moved[1]


def test_every_parameter_names_its_dimensions(built):
    _, system = built
    for path, variable in nnx.to_flat_state(nnx.state(system, nnx.Param)):
        axes = variable.get_metadata().get("axes")
        assert axes is not None and len(axes) == variable[...].ndim, path


def test_only_the_required_keys_are_read(built, step):
    _, system = built
    required = type(system).required_keys
    batch = {key: value for key, value in make_batch().items() if key in required}
    (value, _), _ = step(batch, jax.random.key(0))
    assert np.isfinite(value)


def test_rngs_may_be_a_key_nnx_rngs_or_none(built, method_of):
    _, system = built
    batch = make_batch(3)
    loss = method_of("loss")
    assert np.isfinite(loss(batch, rngs=None)[0])
    # A key is what the step takes; one held by nnx.Rngs has only to be found.
    traced, _ = nnx.eval_shape(lambda s: s.loss(batch, rngs=nnx.Rngs(1)), nnx.clone(system))
    assert traced.shape == () and traced.dtype == jnp.float32


def test_draws_follow_the_example_not_the_row(method_of):
    batch, order = make_batch(), jnp.array([3, 0, 5, 1, 4, 2])
    moved = {key: value[order] for key, value in batch.items()}
    encode = method_of("encode")
    first, second = (encode(b, rngs=jax.random.key(2)) for b in (batch, moved))
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        assert a.shape[0] == 6
        np.testing.assert_allclose(a[order], b, atol=2e-5)


def test_embeddings_have_the_promised_shapes_and_norms(built, method_of):
    name, system = built
    batch = make_batch(3)
    if not type(system).has_image:
        text = method_of("encode_text")(batch["tokens"], batch["token_mask"])
        assert text.global_.shape == (3, 16) and text.local.shape == (3, 12, 16)
        with pytest.raises(systems.UnsupportedError, match="encode_image"):
            system.encode_image(batch["frontal"])
        return
    image = method_of("encode_image")(batch["frontal"])
    assert len(image.global_) == len(image.local) == 3
    width = system.image_encoder.features
    if name in (
        "local_mutual_information",
        "kad",
        "medklip",
    ):  # the regions of an earlier stage are what it trains
        width = system.image_encoder.options.widths[system.stage]
    assert image.features.shape == (3, width)
    np.testing.assert_allclose(np.linalg.norm(image.global_, axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(image.local, axis=-1), 1, atol=1e-5)
    if type(system).has_text:
        text = method_of("encode_text")(batch["tokens"], batch["token_mask"])
        assert image.global_.shape == text.global_.shape == (3, 16)
        assert image.local.shape[2] == 16 and text.local.shape == (3, 12, 16)
        np.testing.assert_allclose(np.linalg.norm(text.global_, axis=-1), 1, atol=1e-5)
        if name in ("biovil", "biovil_l", "biovil_t", "mgca", "medst"):
            head, first = system.text_head, text.features
            raw = np.asarray(head(first))
            np.testing.assert_allclose(text.global_ * text.length[:, None], raw, atol=1e-5)
    else:
        with pytest.raises(systems.UnsupportedError, match="no text encoder"):
            system.encode_text(batch["tokens"], batch["token_mask"])
    if type(system).has_prototypes:
        logits = method_of("class_logits")(batch["frontal"])
        assert logits.shape == (3, len(system.labels))
    else:
        with pytest.raises(systems.UnsupportedError, match="no label prototypes"):
            system.class_logits(batch["frontal"])


def test_evaluation_is_per_image(built, method_of):
    _, system = built
    if not type(system).has_image:
        pytest.skip("no image is embedded")
    images, encode = make_batch(3)["frontal"], method_of("encode_image")
    alone = np.concatenate([encode(images[i : i + 1]).global_ for i in range(3)])
    np.testing.assert_allclose(encode(images).global_, alone, atol=2e-5)


def test_text_does_not_depend_on_padding(built, method_of):
    _, system = built
    if not type(system).has_text:
        pytest.skip("no text is embedded")
    batch, encode = make_batch(3), method_of("encode_text")
    tokens, mask = batch["tokens"][:, :8], batch["token_mask"][:, :8]
    longer = jnp.pad(tokens, ((0, 0), (0, 4))), jnp.pad(mask, ((0, 0), (0, 4)))
    np.testing.assert_allclose(encode(tokens, mask).global_, encode(*longer).global_, atol=2e-5)


def test_scales_start_at_the_temperature_and_stay_within_bounds(built):
    _, system = built
    if not hasattr(system, "scale") and not hasattr(system, "label_head"):
        pytest.skip("no temperature")
    scale = system.scale if hasattr(system, "scale") else system.label_head.scale
    np.testing.assert_allclose(scale(), 1 / type(system).Options.temperature, rtol=1e-5)
    before = scale.log_scale[...]
    lowest = 0.0 if np.isinf(scale.highest) else 1.0
    for raw, bound in ((9.0, min(np.exp(9.0), scale.highest)), (-3.0, max(np.exp(-3.0), lowest))):
        scale.log_scale[...] = jnp.float32(raw)
        np.testing.assert_allclose(scale(), bound, rtol=1e-5)
    scale.log_scale[...] = before


def test_the_same_seed_builds_the_same_system():
    one, two = (systems.build("clip", **_options("clip")) for _ in range(2))
    other = systems.build("clip", **{**_options("clip"), "seed": 1})
    leaves = [jax.tree.leaves(nnx.to_pure_dict(nnx.state(s, nnx.Param))) for s in (one, two, other)]
    assert all(np.array_equal(a, b) for a, b in zip(leaves[0], leaves[1], strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(leaves[0], leaves[2], strict=True))


def test_options_survive_json_and_mistakes_are_named():
    options = json.loads(json.dumps(_options("dlilp")))
    assert systems.build("dlilp", **options).labels == LABELS
    with pytest.raises(OptionError, match="config.system.contrastive_weigth .*contrastive_weight"):
        systems.build("dlilp", **options, contrastive_weigth=1.0)
    with pytest.raises(OptionError, match="known systems: .*clip"):
        systems.build("clap")
    with pytest.raises(OptionError, match="known encoders: resnet50"):
        systems.build("clip", **{**options, "image": {"name": "resnet5"}})
    with pytest.raises(OptionError, match="needs labels"):
        systems.build("unimodal", **{**OPTIONS, "labels": ()})


def test_every_system_documents_its_source():
    for name in systems.available():
        assert "arXiv" in (inspect.getmodule(systems.system_class(name)).__doc__ or "")
