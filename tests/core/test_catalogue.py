"""What may be asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoward.core.catalogue import (
    EXIF_GROUPS,
    MAX_LABEL,
    METHODS,
    PRESETS,
    Catalogue,
    SurrogateCard,
    grid_side,
)
from photoward.core.errors import BadInput, Unavailable
from photoward.core.imaging.codec.metadata import GROUPS
from photoward.core.networks import SetCard
from photoward.core.renditions import of_side

CARD = SurrogateCard(
    name="one", architecture="resnet18", width=4, size=32, classes=["cat", "dog"], feature_dim=32,
    sha256="", data="", recipe={}, figures={}, seconds=0, hardware="", versions={}, licence="",
)  # fmt: skip
SETS = {"some": SetCard(name="some", networks=["a"], per_step=1)}
CATALOGUE = Catalogue(
    {"one": CARD}, "one", sets=SETS, default_set="some", default_method="sem"
)  # fmt: skip
CODED = CARD.model_copy(
    update={"name": "coded", "classes": [], "code": [4, 3], "labeller": "one"}
)  # fmt: skip


def test_asking_for_nothing_gives_the_defaults() -> None:
    options = CATALOGUE.options()
    assert (options.method, options.target, options.surrogate) == ("sem", "prototype", "one")
    assert (options.preset, options.epsilon) == ("standard", PRESETS["standard"].epsilon)
    assert options.label is None
    assert options.output_format is None


def test_a_surrogate_of_codewords_asks_another_for_labels_and_classes() -> None:
    catalogue = Catalogue({"one": CARD, "coded": CODED}, "coded", default_method="sem")
    assert CARD.alphabets == [2]
    assert CODED.alphabets == [4, 3]
    assert catalogue.options(label="cow").surrogate == "coded"
    assert catalogue.options().surrogate == "coded"
    assert catalogue.options(target="logits", label="cat").surrogate == "one"


def test_the_default_leaves_photos_to_the_one_that_its_card_names() -> None:
    own = CODED.model_copy(update={"photos": "one"})
    catalogue = Catalogue({"one": CARD, "coded": own}, "coded", default_method="sem")
    options = catalogue.options(label="cow")
    assert catalogue.placed(options, 32, 32) == (options, "sem/prototype/coded/32")
    photo = catalogue.options(label="cow", surrogate="one")
    assert catalogue.placed(options, 640, 480) == (photo, "sem/prototype/one/224")
    named = Catalogue({"one": CARD, "coded": own}, "one", default_method="sem").options(
        label="cow", surrogate="coded"
    )
    other = Catalogue({"one": CARD, "coded": own}, "one", default_method="sem")
    assert other.placed(named, 640, 480)[0] == named  # asked for by name
    alone = Catalogue({"coded": own}, "coded", default_method="sem")
    assert alone.placed(options, 640, 480)[0] == options


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "label"),
        ({"method": "cuda"}, "label"),
        ({"target": "logits", "label": "cat"}, "target"),
    ],
)
def test_what_no_surrogate_can_guess_is_refused(asked: dict[str, str], field: str) -> None:
    with pytest.raises(BadInput, match="coded") as caught:
        Catalogue({"coded": CODED}, "coded", default_method="sem").options(**asked)  # type: ignore[arg-type]  # mixed
    assert caught.value.field == field


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_an_epsilon(preset: str) -> None:
    assert CATALOGUE.options(preset=preset).epsilon == PRESETS[preset].epsilon


@pytest.mark.parametrize(
    ("asked", "code", "field"),
    [
        ({"method": "magic"}, "unknown_method", "method"),
        ({"preset": "wild"}, "unknown_preset", "preset"),
        ({"surrogate": "two"}, "unknown_surrogate", "surrogate"),
        ({"target": "sky"}, "invalid_option", "target"),
        ({"epsilon": 0.5}, "invalid_option", "epsilon"),
        ({"epsilon": 17.0}, "invalid_option", "epsilon"),
        ({"epsilon": float("nan")}, "invalid_option", "epsilon"),
        ({"epsilon": 4.0, "preset": "strong"}, "invalid_option", "epsilon"),
        ({"output_format": "gif"}, "invalid_option", "output_format"),
        ({"label": ""}, "invalid_option", "label"),
        ({"label": "  "}, "invalid_option", "label"),
        ({"label": "a\0b"}, "invalid_option", "label"),
        ({"label": "x" * (MAX_LABEL + 1)}, "invalid_option", "label"),
        ({"label": "cow", "target": "logits"}, "unknown_label", "label"),
        ({"method": "cuda", "epsilon": 8.0}, "invalid_option", "epsilon"),
        ({"method": "cuda", "preset": "strong"}, "invalid_option", "preset"),
        ({"method": "em", "preset": "hosted"}, "invalid_option", "preset"),
        ({"method": "cuda", "target": "prototype"}, "invalid_option", "target"),
        ({"method": "sem", "target": "filter"}, "invalid_option", "target"),
        ({"keep_exif": "date,thumbnail"}, "invalid_option", "keep_exif"),
        ({"sizes": "1080,15"}, "invalid_option", "sizes"),
        ({"sizes": "1080;320"}, "invalid_option", "sizes"),
        ({"renditions": "{}"}, "invalid_option", "renditions"),
        ({"renditions": "no JSON"}, "invalid_option", "renditions"),
        ({"renditions": "[1]"}, "invalid_option", "renditions"),
        ({"renditions": '[{"name": "../x"}]'}, "invalid_option", "renditions"),
        ({"renditions": '[{"name": "a", "width": 15}]'}, "invalid_option", "renditions"),
        ({"renditions": '[{"name": "a", "side": 150}]'}, "invalid_option", "renditions"),
        ({"renditions": '[{"name": "a", "fit": "cover"}]'}, "invalid_option", "renditions"),
        ({"renditions": '[{"name": "a"}, {"name": "A"}]'}, "invalid_option", "renditions"),
        ({"renditions": '[{"name": "a", "quality": 1}]'}, "invalid_option", "renditions"),
        ({"renditions": "[" * 100_000}, "invalid_option", "renditions"),
        ({"renditions": "[]", "sizes": "20"}, "invalid_option", "renditions"),
        ({"quality": "39"}, "invalid_option", "quality"),
        ({"quality": "101"}, "invalid_option", "quality"),
        ({"quality": "best"}, "invalid_option", "quality"),
        ({"sizes": "²"}, "invalid_option", "sizes"),
        ({"sizes": "9999999"}, "invalid_option", "sizes"),
        ({"sizes": ",".join(map(str, range(100, 117)))}, "invalid_option", "sizes"),
        ({"shaping": "round"}, "invalid_option", "shaping"),
        ({"data_mining": "please"}, "invalid_option", "data_mining"),
        ({"creator": "a\nb"}, "invalid_option", "creator"),
        ({"rights": "x" * 1025}, "invalid_option", "rights"),
        ({"licence_url": "javascript:alert(1)"}, "invalid_option", "licence_url"),
        ({"licence_url": "https://a b"}, "invalid_option", "licence_url"),
    ],
)
def test_what_cannot_be_done_is_refused(asked: dict[str, str], code: str, field: str) -> None:
    with pytest.raises(BadInput) as caught:
        CATALOGUE.options(**asked)  # type: ignore[arg-type]  # mixed on purpose
    assert (caught.value.code, caught.value.field) == (code, field)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_has_a_strength_or_none(method: str) -> None:
    options = CATALOGUE.options(method=method)
    wanted = ("standard", PRESETS["standard"].epsilon) if METHODS[method].presets else (None, None)
    assert (options.preset, options.epsilon) == wanted
    assert options.target == METHODS[method].targets[0]


def test_only_what_is_here_for_comparison_is_a_baseline() -> None:
    assert {name for name, method in METHODS.items() if method.baseline} == {"em", "rem"}
    assert {name for name, method in METHODS.items() if not method.bounded} == {"cuda", "sem+cuda"}


def test_metadata_is_kept_by_name_and_only_once() -> None:
    assert set(EXIF_GROUPS) == GROUPS.keys()
    assert CATALOGUE.options().keep_exif == ""
    assert CATALOGUE.options(keep_exif="date, camera,date").keep_exif == "date,camera"


@given(
    st.integers(1, 20_000), st.integers(1, 20_000), st.lists(st.integers(16, 4000), max_size=8)
)  # fmt: skip
def test_renditions_keep_their_shape_within_their_sides(
    width: int, height: int, sides: list[int]
) -> None:
    options = CATALOGUE.options(sizes=", ".join(map(str, sides)))
    leaving = [one.size for one in options.placements(width, height)]
    wanted = sorted({min(max(width, height), side) for side in sides}, reverse=True)
    assert [max(size) for size in leaving] == (wanted or [max(width, height)])
    for size in leaving:
        assert abs(size[0] * height - size[1] * width) <= max(width, height)
        again = of_side(max(size)).placed(width, height)
        assert again.size == size, "by its side it is found again"
    (whole,) = CATALOGUE.options().placements(width, height)
    assert (whole.size, whole.box) == ((width, height), None)


def test_a_class_of_the_default_is_not_asked_of_another_surrogate() -> None:
    other = CARD.model_copy(update={"name": "other", "classes": ["fish", "bird"]})
    own = CARD.model_copy(update={"photos": "other"})
    catalogue = Catalogue({"one": own, "other": other}, "one", default_method="sem")
    asked = catalogue.options(target="logits", label="cat")
    assert catalogue.placed(asked, 400, 300)[0].surrogate == "one"
    assert catalogue.placed(catalogue.options(label="cat"), 400, 300)[0].surrogate == "other"


def test_a_rendition_goes_with_pictures_of_its_size() -> None:
    small = CATALOGUE.placed(CATALOGUE.options(sizes="32"), 64, 64)[1]
    assert small == CATALOGUE.placed(CATALOGUE.options(), 32, 32)[1]


def test_the_budget_is_spread_evenly_or_by_what_is_seen() -> None:
    assert CATALOGUE.options().shaping == "perceptual"
    assert CATALOGUE.options(shaping="even").shaping == "even"


def test_training_on_the_file_is_prohibited_unless_something_else_is_said() -> None:
    assert CATALOGUE.options().data_mining == "no-ai-training"
    assert CATALOGUE.options(data_mining="nothing").data_mining == "nothing"


def test_what_is_stated_about_rights_is_taken_as_it_is() -> None:
    stated = {
        "creator": "Jäne",
        "credit": "J",
        "rights": "© J",
        "licence_url": "https://a.example/b",
    }
    options = CATALOGUE.options(**stated)  # type: ignore[arg-type]  # all strings
    assert {name: getattr(options, name) for name in stated} == stated
    assert CATALOGUE.options().creator == ""


@given(st.text(min_size=1, max_size=MAX_LABEL))
def test_any_printable_label_goes_to_prototypes(label: str) -> None:
    if label.isprintable() and label.strip():
        assert CATALOGUE.options(label=label).label == label
    else:
        with pytest.raises(BadInput):
            CATALOGUE.options(label=label)


def test_compatible_items_have_equal_keys() -> None:
    def key(width: int, height: int, **asked: str) -> str:
        return CATALOGUE.placed(CATALOGUE.options(**asked), width, height)[1]  # type: ignore[arg-type]  # all strings

    assert key(32, 32) == key(32, 32, label="cat", preset="subtle")
    assert key(4000, 3000) == key(50, 9000)
    assert len({key(32, 32), key(64, 64), key(32, 32, target="logits")}) == 3
    assert key(32, 32) != key(32, 32, preset="hosted")
    own = [name for name, method in METHODS.items() if not method.networks]
    assert len({key(32, 32, method=method) for method in own}) == len(own)


def test_noise_against_networks_is_made_for_photos_and_small_pictures_get_sem() -> None:
    catalogue = Catalogue({"one": CARD}, "one", sets=SETS, default_set="some")
    options = catalogue.options(label="cow")
    assert (options.method, options.networks) == ("anchor", "some")
    photo, key = catalogue.placed(options, 640, 480)
    assert (photo, key) == (options, "anchor/anchor/one/some/224")
    small, key = catalogue.placed(options, 32, 32)
    assert (small.method, small.networks) == ("sem", None)
    assert key == "sem/prototype/one/32"
    anchored = catalogue.options(method="anchor")
    assert catalogue.placed(anchored, 32, 32)[0].target == "prototype"


def test_sets_that_are_not_there_or_not_asked_for_are_refused() -> None:
    catalogue = Catalogue({"one": CARD}, "one", sets=SETS, default_set="some")
    for asked, field in (
        ({"method": "anchor", "networks": "other"}, "networks"),
        ({"method": "sem", "networks": "some"}, "networks"),
    ):
        with pytest.raises(BadInput) as caught:
            catalogue.options(**asked)  # type: ignore[arg-type]  # all strings
        assert caught.value.field == field
    with pytest.raises(Unavailable, match="not installed"):
        Catalogue({"one": CARD}, "one").options()


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_the_working_grid_never_grows_with_the_picture(width: int, height: int) -> None:
    own = width == height == 32
    assert grid_side("sem", 32, width, height) == (32 if own else 224)
    assert grid_side("cuda", 32, width, height) == (32 if own else 128)
