"""Paths become templates, the same ones in whatever order they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.diff.templates import MAX_NODES, NAMES, Templates


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/", "/"),
        ("/products", "/products"),
        ("/products/17?page=2", "/products/{id}"),
        ("/products/17/reviews/9", "/products/{id}/reviews/{id}"),
        ("/v1/products", "/v1/products"),
        ("/orders/order-17", "/orders/{id}"),
        ("/u/e58ed763-928c-4155-bee9-fdbaaadc15f3", "/u/{id}"),
        ("/c/9f86d081884c7d65", "/c/{id}"),
        ("/c/facade", "/c/facade"),
        ("/days/2026-11-24", "/days/{id}"),
        ("/users/ann@shop.test", "/users/{id}"),
        ("/files/123.json", "/files/{id}"),
        ("/files/readme.txt", "/files/readme.txt"),
        ("/t/AbCdEf0123456789AbCdEf", "/t/{id}"),
        ("/shop.v1.Catalog/GetProduct", "/shop.v1.Catalog/GetProduct"),
        ("*", "*"),
        ("/a//b/", "/a//b/"),
        ("/1/2/3/4/5/6/7/8/9/10/11/12/13/14", "/" + "{id}/" * 12 + "{rest}"),
    ],
)
def test_a_path_has_a_template(path: str, template: str) -> None:
    templates = Templates()
    assert templates.template(path) == template
    assert templates.template(template) == template


def test_a_place_with_too_many_names_is_an_id() -> None:
    templates = Templates()
    names = [f"{first}{second}" for first in "abcdefgh" for second in "abcdefgh"][: NAMES + 1]
    for name in names[:-1]:
        assert templates.template(f"/tags/{name}/items") == f"/tags/{name}/items"
    generation = templates.generation
    assert templates.template(f"/tags/{names[-1]}/items") == "/tags/{id}/items"
    assert templates.generation > generation
    assert templates.template(f"/tags/{names[0]}/items") == "/tags/{id}/items"
    assert templates.template("/other/a/items") == "/other/a/items"


def test_all_methods_of_a_grpc_service_stay() -> None:
    templates = Templates()
    paths = [f"/shop.v1.Catalog/Method{chr(65 + a)}{chr(65 + b)}" for a in range(10) for b in range(10)]
    assert [templates.template(path) for path in paths] == paths


SEGMENTS = st.sampled_from([f"{first}{second}" for first in "abcdefgh" for second in "abcdefgh"])
PATHS = st.lists(st.tuples(st.sampled_from(["x", "y"]), SEGMENTS, st.sampled_from(["p", "q", "7"])), max_size=90)


@given(paths=PATHS, order=st.randoms(use_true_random=False), cut=st.integers(0, 90))
def test_order_and_merging_do_not_matter(paths: list[tuple[str, ...]], order: object, cut: int) -> None:
    texts = ["/" + "/".join(path) for path in paths]
    shuffled = list(texts)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other, left, right = Templates(), Templates(), Templates(), Templates()
    for text in texts:
        one.template(text)
    for text in shuffled:
        other.template(text)
    for text in texts[:cut]:
        left.template(text)
    for text in texts[cut:]:
        right.template(text)
    left.merge(Templates.unpack(right.pack()))
    results = [[each.template(text) for text in texts] for each in (one, other, left)]
    assert results[0] == results[1] == results[2]
    assert one.pack() == other.pack() == left.pack()


def test_the_tree_is_bounded() -> None:
    templates = Templates()
    letters = "abcdefghijklmnopqrstuvwxyz"
    for a in letters:
        for b in letters:
            for c in letters:
                templates.template(f"/{a}/{b}/{c}")
    assert templates.root.size() <= MAX_NODES
