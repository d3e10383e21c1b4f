# SPDX-License-Identifier: Apache-2.0
"""The query decoder against the official modules' numbers; masks, padding, one example, bfloat16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax.models import QueryDecoder, QueryDecoderOptions

TOLERANCE = {"float64": 1e-9, "float32": 2e-5}


@pytest.fixture(scope="module")
def oracle(shared):
    return dict(np.load(shared / "oracle" / "query_decoder.npz"))


def _from_oracle(o, options):
    """The decoder with the oracle's weights, which are PyTorch's: x @ w.T + b."""
    decoder = QueryDecoder(options, rngs=nnx.Rngs(0))
    heads, width = options.heads, options.width
    head = (heads, width // heads)

    def put(path, read, *, self_attention=False):
        if self_attention and not options.self_attention:
            return
        node = decoder.layers
        for name in path.split("/"):
            node = getattr(node, name)
        values = [read(layer) for layer in range(options.depth)]
        node.set_value(jnp.asarray(np.stack(values), options.dtype))

    def norm(name, key, **where):
        put(f"{name}/scale", lambda k: o[f"l{k}_{key}_g"], **where)
        put(f"{name}/bias", lambda k: o[f"l{k}_{key}_b"], **where)

    own = {"self_attention": True}
    norm("norm1", "n1", **own)
    norm("norm2", "n2")
    norm("norm3", "n3")
    stacked = (3, *head)
    put(
        "attn/qkv/kernel",
        lambda k: o[f"l{k}_self_in_w"].T.reshape(width, *stacked),
        **own,
    )
    put("attn/qkv/bias", lambda k: o[f"l{k}_self_in_b"].reshape(stacked), **own)
    put("attn/out/kernel", lambda k: o[f"l{k}_self_out_w"].T.reshape(*head, width), **own)
    put("attn/out/bias", lambda k: o[f"l{k}_self_out_b"], **own)
    for number, name in enumerate(("query", "key", "value")):

        def third(k, part, n=number):
            return np.split(o[f"l{k}_cross_in_{part}"], 3)[n]

        put(f"cross/{name}/kernel", lambda k, t=third: t(k, "w").T.reshape(width, *head))
        put(f"cross/{name}/bias", lambda k, t=third: t(k, "b").reshape(head))
    put("cross/out/kernel", lambda k: o[f"l{k}_cross_out_w"].T.reshape(*head, width))
    put("cross/out/bias", lambda k: o[f"l{k}_cross_out_b"])
    for name in ("fc1", "fc2"):
        put(f"mlp/{name}/kernel", lambda k, n=name: o[f"l{k}_ff{n[2]}_w"].T)
        put(f"mlp/{name}/bias", lambda k, n=name: o[f"l{k}_ff{n[2]}_b"])
    decoder.norm.scale.set_value(jnp.asarray(o["norm_g"], options.dtype))
    decoder.norm.bias.set_value(jnp.asarray(o["norm_b"], options.dtype))
    return decoder


def _options(o, dtype="float32", **changes):
    sizes = dict(width=o["queries"].shape[1], heads=int(o["heads"]), depth=int(o["layers"]))
    return QueryDecoderOptions(
        **{**sizes, "mlp": o["l0_ff1_w"].shape[0], "dtype": dtype, "dropout": 0.0, **changes}
    )


@pytest.mark.parametrize("name", ["medklip", "kad"])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_value_maps_and_gradients_are_the_official_modules(oracle, name, dtype):
    o, tolerance = oracle, TOLERANCE[dtype]
    with jax.enable_x64(dtype == "float64"):
        decoder = _from_oracle(o, _options(o, dtype, shared_norm=name == "kad"))
        graph, params = nnx.split(decoder)
        probe = jnp.asarray(o["probe"], dtype)

        @jax.jit
        def run(params, queries, memory):
            def scalar(params, queries, memory):
                output = nnx.merge(graph, params, copy=True)(queries, memory)
                return jnp.sum(output.features * probe), output

            return jax.value_and_grad(scalar, argnums=(0, 1, 2), has_aux=True)(
                params, queries, memory
            )

        given = (jnp.asarray(o["queries"], dtype), jnp.asarray(o["memory"], dtype))
        (value, output), (of_params, of_queries, of_memory) = run(params, *given)
        np.testing.assert_allclose(output.features, o[f"{name}_out"], atol=tolerance)
        maps = np.moveaxis(np.asarray(output.maps), 0, 1)
        np.testing.assert_allclose(maps, o[f"{name}_maps"], atol=tolerance)
        np.testing.assert_allclose(value, o[f"{name}_scalar"], atol=10 * tolerance)
        cross = [
            of_params["layers"]["cross"][part]["kernel"][...][0]
            for part in ("query", "key", "value")
        ]
        width = len(o["norm_g"])
        found = {
            "queries": of_queries,
            "memory": of_memory,
            "norm_g": of_params["norm"]["scale"][...],
            "l0_cross_in_w": np.concatenate([np.reshape(k, (width, width)).T for k in cross]),
            "l1_ff1_w": of_params["layers"]["mlp"]["fc1"]["kernel"][...][1].T,
        }
        for key, gradient in found.items():
            wanted = o[f"{name}_grad_{key}"]
            scale = np.max(np.abs(wanted))
            np.testing.assert_allclose(
                gradient / scale, wanted / scale, atol=tolerance, err_msg=key
            )


def _small(**changes):
    return QueryDecoder(
        QueryDecoderOptions(**{"width": 8, "heads": 2, "depth": 2, "mlp": 12, **changes}),
        rngs=nnx.Rngs(1),
    )


@pytest.fixture
def inputs():
    draw = np.random.default_rng(0).normal
    return jnp.float32(draw(size=(3, 5, 8))), jnp.float32(draw(size=(3, 6, 8)))


def test_masked_queries_and_patches_change_nothing(inputs):
    queries, patches = inputs
    decoder = _small()
    seen = decoder(queries[:, :3], patches[:, :4])
    given = dict(query_mask=jnp.arange(5) < 3, patch_mask=jnp.arange(6) < 4)
    given = {name: jnp.broadcast_to(mask, (3, len(mask))) for name, mask in given.items()}
    padded = decoder(queries, patches.at[:, 4:].set(9.0), **given)
    np.testing.assert_allclose(padded.features[:, :3], seen.features, atol=1e-6)
    np.testing.assert_allclose(padded.maps[..., :3, :4], seen.maps, atol=1e-6)
    assert np.all(padded.maps[..., 4:] == 0)


def test_a_query_that_nobody_may_see_answers_as_beside_the_others(inputs):
    # The list sees itself; each further query sees the list and itself.
    queries, patches = inputs
    decoder = _small()
    number = np.arange(5)
    allowed = (number[None, :] < 3) | (number[:, None] == number[None, :])
    together = decoder(queries, patches, query_mask=jnp.broadcast_to(allowed, (3, 5, 5)))
    listed = decoder(queries[:, :3], patches)
    np.testing.assert_allclose(together.features[:, :3], listed.features, atol=1e-6)
    mask = np.eye(4, dtype=bool) | (np.arange(4) < 3)[None, :]
    for k in (3, 4):
        one = jnp.concatenate([queries[:, :3], queries[:, k : k + 1]], axis=1)
        alone = decoder(one, patches, query_mask=jnp.broadcast_to(mask, (3, 4, 4)))
        np.testing.assert_allclose(together.features[:, k], alone.features[:, 3], atol=1e-6)


def test_without_self_attention_answers_do_not_depend_on_other_queries(inputs):
    queries, patches = inputs
    for self_attention in (False, True):
        decoder = _small(self_attention=self_attention)
        few, all_of_them = (decoder(queries[:, :n], patches).features[:, 0] for n in (1, 5))
        assert np.allclose(few, all_of_them, atol=1e-6) == (not self_attention)


def test_one_example_as_in_a_batch_and_one_list_for_all(inputs):
    queries, patches = inputs
    decoder = _small(shared_norm=True)
    together = decoder(queries[0], patches).features
    alone = [decoder(queries[0], patches[i : i + 1]).features for i in range(3)]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-6)


def test_dropout_follows_the_example_and_is_off_without_keys(inputs):
    queries, patches = inputs
    decoder = _small(dropout=0.5)
    keys = jax.random.split(jax.random.key(0), 3)
    order = np.array([2, 0, 1])
    first = decoder(queries, patches, keys=keys).features
    moved = decoder(queries[order], patches[order], keys=keys[order]).features
    np.testing.assert_allclose(first[order], moved, atol=1e-6)
    quiet = decoder(queries, patches).features
    assert not np.allclose(first, quiet, atol=1e-2)
    np.testing.assert_array_equal(quiet, decoder(queries, patches).features)


def test_bfloat16_is_near_and_finite(inputs):
    queries, patches = inputs
    exact = _small()(queries, patches)
    rough = _small(dtype="bfloat16")(*(x.astype(jnp.bfloat16) for x in inputs))
    assert rough.features.dtype == jnp.bfloat16 and rough.maps.dtype == jnp.float32
    np.testing.assert_allclose(rough.features.astype(jnp.float32), exact.features, atol=0.06)
    np.testing.assert_allclose(rough.maps, exact.maps, atol=0.02)
