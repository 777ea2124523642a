"""The network in a browser: it computes what Python computes, from a drawing, a keyboard or a recorded digit."""

import base64
import json
import math
from collections import Counter

import numpy as np
import pytest

from nnkernels.interchange import load_parameters
from nnkernels.interchange.training_steps import load_training_steps, quantised
from nnkernels.kernels import numpy_kernels
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.report.dashboard.learning import TRAINING
from nnkernels.transforms import digit_from_pixels
from nnkernels.transforms.photo import mnist_form
from tests.browser.conftest import ROOT, Opener
from tests.browser.looking import overflow, text_of, violations
from tests.recorded_networks import record_network

READS = "(name) => document.getElementById('network-best').textContent === name"
# The opacity of each pixel of a canvas, in base64. The copy is for reading, so that the browser does not warn of it.
ALPHA = """(id) => {
    const canvas = document.getElementById(id);
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    let text = "";
    for (let place = 3; place < data.length; place += 4) text += String.fromCharCode(data[place]);
    return btoa(text);
}"""
# Strokes of digits, in fractions of the canvas.
ARC = [(0.5 + 0.2 * math.cos(0.6 * step), 0.5 + 0.32 * math.sin(0.6 * step)) for step in range(12)]
STROKES = {
    "0": [ARC],
    "1": [[(0.53, 0.15), (0.5, 0.5), (0.47, 0.85)]],
    "7": [[(0.25, 0.2), (0.5, 0.19), (0.75, 0.2), (0.6, 0.5), (0.47, 0.85)]],
}


@pytest.fixture(scope="session")
def network(browser, make_shared_folder, digits):
    """The folder of a checkout whose only results are the recorded network, and its site without other sections."""
    from nnkernels.report.dashboard import charts, page
    from nnkernels.report.dashboard.site import publish_site

    def make(folder):
        final = load_parameters(ROOT / TRAINING / "parameters.safetensors")
        first = initial_parameters(0)
        half = Parameters(*((one + other) / 2 for one, other in zip(first, final, strict=True)))
        record_network(folder, final, digits, [quantised(0, 0, first), quantised(1, 1563, half)])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(page, "SECTIONS", ("answer", "network"))
            patch.setattr(charts, "browser_bundle", str)
            publish_site(folder, folder / "site", further_pages=False)

    return make_shared_folder("network", make)


@pytest.fixture(scope="session")
def opener(browser, network):
    found = Opener(browser, {"file": f"{(network / 'site').as_uri()}/"})
    yield found
    found.close()


@pytest.fixture
def page(opener):
    tab = opener("index.html#network", at="file")
    tab.wait_for_selector("#network.is-live")
    yield tab
    tab.close()


@pytest.fixture(scope="session")
def mistakes(network):
    return json.loads((network / TRAINING / "mistakes.json").read_text())


@pytest.fixture(scope="session")
def steps(network):
    folder = network / TRAINING
    earlier = [step.parameters() for step in load_training_steps(folder / "training_steps.safetensors")]
    return [*earlier, load_parameters(folder / "parameters.safetensors")]


def drawn(page):
    """Return what is drawn, uint8 of shape (280, 280)."""
    return np.frombuffer(base64.b64decode(page.evaluate(ALPHA, "network-canvas")), np.uint8).reshape(280, 280)


def seen(page):
    """Return the pixels that go through the network."""
    return np.frombuffer(base64.b64decode(page.evaluate(ALPHA, "network-seen")), np.uint8)


def loaded_gallery(page):
    page.locator("#network-gallery").scroll_into_view_if_needed()
    page.wait_for_selector("#network-mistakes button")


def on_canvas(page, place):
    box = page.locator("#network-canvas").bounding_box()
    return box["x"] + place[0] * box["width"], box["y"] + place[1] * box["height"]


def draw(page, strokes):
    page.locator("#network-canvas").scroll_into_view_if_needed()
    for first, *rest in strokes:
        page.mouse.move(*on_canvas(page, first))
        page.mouse.down()
        for place in rest:
            page.mouse.move(*on_canvas(page, place), steps=2)
        page.mouse.up()


def expected(params, pixels):
    """Return the activations and probabilities by the reference kernels in float64."""
    wide = Parameters(*(array.astype(np.float64) for array in params))
    found = numpy_kernels.forward(wide, np.asarray(pixels, np.float64)[np.newaxis] / 255)
    return found.A1[0], found.probs[0]


def test_forward_pass_is_pythons_at_every_step(page, steps, digits):
    images = digits.X_test[:12]
    found = page.evaluate(
        """async (images) => {
            const { weights, shape, stepsFile } = nnkernels.data("network");
            const earlier = (await nnkernels.load(stepsFile)).map((step) => networkModel.decodeBytes(step, shape));
            return [...earlier, networkModel.decode(weights, shape)].map((parameters) => images.map((pixels) => {
                const { hidden, probs } = networkModel.forward(parameters, pixels);
                return [[...hidden], [...probs]];
            }));
        }""",
        images.tolist(),
    )
    assert len(found) == len(steps) == 3
    for by_image, params in zip(found, steps, strict=True):
        for (hidden, probs), pixels in zip(by_image, images, strict=True):
            activations, probabilities = expected(params, pixels)
            np.testing.assert_allclose(hidden, activations, atol=1e-5, rtol=0)
            np.testing.assert_allclose(probs, probabilities, atol=1e-5, rtol=0)


def test_drawing_is_centred_as_python_centres_it(page):
    for strokes in ([[*ARC, (0.3, 0.5)]], [[(0.1, 0.1), (0.3, 0.12)]], [[(0.7, 0.6)]]):
        page.click("#network-clear")
        draw(page, strokes)
        drawing = drawn(page)
        rows, columns = (np.flatnonzero((drawing > 0.25 * 255).any(axis=axis)) for axis in (1, 0))
        ink = drawing[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] / np.float32(255)
        pixels = seen(page)
        assert pixels.max() == 255
        assert np.abs(pixels - mnist_form(ink).astype(int)).max() <= 1


def test_thin_strokes_are_thickened_as_python_thickens_them(page):
    rng = np.random.default_rng(0)
    for width in (1, 2, 4):
        ink = np.zeros((150, 90), np.float32)
        for row in range(150):
            ink[row, (row // 2) % 80 : (row // 2) % 80 + width] = rng.uniform(0.6, 1, width)
        rows, columns = (np.flatnonzero((ink > 0.25).any(axis=axis)) for axis in (1, 0))
        ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        found = page.evaluate(
            """([ink, height, width]) => [...networkCentring.digit(
                Float64Array.from(ink), height, width, nnkernels.data("network").drawing)]""",
            [ink.ravel().tolist(), *ink.shape],
        )
        assert np.abs(np.array(found) - mnist_form(ink).astype(int)).max() <= 1


@pytest.mark.parametrize("digit", STROKES)
def test_drawn_digit_is_recognised_in_page_and_python_alike(digit, page, steps):
    draw(page, STROKES[digit])
    page.wait_for_function(READS, arg=digit)
    assert f"reads {digit}" in text_of(page, "#network-words")
    drawing = drawn(page)
    _activations, probs = expected(steps[-1], digit_from_pixels(255 - drawing).pixels)
    assert str(probs.argmax()) == digit


def test_numbers_on_the_page_are_those_of_what_it_sees(page, steps):
    draw(page, STROKES["7"])
    page.wait_for_function(READS, arg="7")
    activations, probs = expected(steps[-1], seen(page))
    shown = page.locator("#network-hidden .value").all_text_contents()
    assert shown == [f"{value:.2f}" for value in activations]
    texts = [text.replace("\xa0", " ") for text in page.locator("#network-outputs .value").all_text_contents()]
    for text, value in zip(texts, probs, strict=True):
        assert text == f"{100 * value:.1f} %" or value < 0.0005 or value > 0.9995


def test_keyboard_draws_lifts_and_clears(page):
    page.focus("#network-canvas")
    page.keyboard.press("Escape")
    assert not drawn(page).any()
    assert "Draw a digit" in text_of(page, "#network-words")
    for _ in range(6):
        page.keyboard.press("ArrowUp")
    assert not drawn(page).any()
    assert page.is_visible("#network-pen")
    page.keyboard.press("Space")
    for _ in range(12):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    before = drawn(page)
    assert text_of(page, "#network-best") == "1"
    page.keyboard.press("ArrowRight")
    assert (drawn(page) == before).all()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "network-clear"
    page.keyboard.press("Enter")
    assert not drawn(page).any()


def test_finger_draws_and_does_not_scroll(opener):
    page = opener("index.html#network", at="file", width=360, has_touch=True)
    page.wait_for_selector("#network.is-live")
    page.locator("#network-canvas").scroll_into_view_if_needed()
    session = page.context.new_cdp_session(page)

    def touch(kind, *places):
        points = [dict(zip("xy", on_canvas(page, place), strict=True)) for place in places]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    before = page.evaluate("scrollY")
    first, *rest = STROKES["1"][0]
    touch("touchStart", first)
    for place in rest:
        touch("touchMove", place)
    touch("touchEnd")
    page.wait_for_function(READS, arg="1")
    assert page.evaluate("scrollY") == before
    page.close()


def test_slider_changes_the_answer_and_the_pictures_of_the_units(page, steps):
    picture = "document.querySelector('#network-hidden canvas').toDataURL()"
    final = page.evaluate(picture), text_of(page, "#network-outputs")
    sentences = [text_of(page, "#network-step-text")]
    page.focus("#network-step")
    for step in (1, 0):
        page.keyboard.press("ArrowLeft")
        page.wait_for_function(
            "(text) => document.getElementById('network-step-text').innerText !== text", arg=sentences[-1]
        )
        sentences.append(text_of(page, "#network-step-text"))
        activations, _probs = expected(steps[step], seen(page))
        shown = page.locator("#network-hidden .value").all_text_contents()
        assert shown == [f"{value:.2f}" for value in activations]
    assert "test error" in sentences[0]
    assert "validation error" in sentences[1]
    assert "random" in sentences[2]
    assert page.evaluate(picture) != final[0]
    assert page.get_attribute("#network-step", "aria-valuetext") == "initial"
    page.keyboard.press("End")
    page.wait_for_function(
        "(text) => document.getElementById('network-step-text').innerText === text", arg=sentences[0]
    )
    assert (page.evaluate(picture), text_of(page, "#network-outputs")) == final


def test_play_runs_to_the_end_of_the_training(page):
    page.click("#network-play")
    page.wait_for_function("() => document.getElementById('network-step').value === '0'")
    page.wait_for_function("() => document.getElementById('network-step').value === '2'")
    assert text_of(page, "#network-play") == "Play the training"


def test_gallery_shows_what_the_filter_and_the_address_ask_for(page, mistakes):
    counts = Counter((one["true"], one["predicted"]) for one in mistakes["digits"])
    (true, predicted), count = counts.most_common(1)[0]
    loaded_gallery(page)
    assert f"of {mistakes['total']}" in text_of(page, "#network-shown")
    page.select_option("#network-filter [name=true]", str(true))
    page.select_option("#network-filter [name=predicted]", str(predicted))
    assert page.locator("#network-mistakes button").count() == count
    assert set(page.locator("#network-mistakes strong").all_text_contents()) == {f"{true} \u2192 {predicted}"}
    assert f"Shown: {count} of {count} that match" in text_of(page, "#network-shown")
    assert page.evaluate("location.hash") == f"#network?true={true}&predicted={predicted}"
    page.reload()
    loaded_gallery(page)
    assert page.locator("#network-mistakes button").count() == count
    page.go_back()
    page.wait_for_function("() => document.querySelector('#network-filter [name=predicted]').value === ''")
    of_class = sum(one["true"] == true for one in mistakes["digits"])
    assert f"of {of_class} that match" in text_of(page, "#network-shown")
    without = next(pair for pair in np.ndindex(10, 10) if pair not in counts and pair[0] != pair[1])
    for name, value in zip(("true", "predicted"), without, strict=True):
        page.select_option(f"#network-filter [name={name}]", str(value))
    assert text_of(page, "#network-shown").startswith("None")


def test_more_digits_are_shown_on_demand(page, mistakes):
    loaded_gallery(page)
    first = page.locator("#network-mistakes button").count()
    assert 0 < first < len(mistakes["digits"])
    page.click("#network-more")
    assert page.locator("#network-mistakes button").count() == 2 * first
    assert (
        page.evaluate("[...document.querySelectorAll('#network-mistakes button')].indexOf(document.activeElement)")
        == first
    )
    page.evaluate("() => { const more = document.getElementById('network-more'); while (!more.hidden) more.click(); }")
    assert page.locator("#network-mistakes button").count() == len(mistakes["digits"])


def test_digit_of_the_gallery_goes_through_the_network_as_it_was_recorded(page, mistakes, steps, digits):
    loaded_gallery(page)
    record = mistakes["digits"][2]
    page.locator("#network-mistakes button").nth(2).click()
    assert seen(page).tolist() == digits.X_test[record["index"]].tolist()
    assert text_of(page, "#network-best") == str(record["predicted"])
    assert f"Test image {record['index']} is {record['true']}" in text_of(page, "#network-words")
    _activations, probs = expected(steps[-1], digits.X_test[record["index"]])
    assert probs.argmax() == record["predicted"]
    draw(page, STROKES["1"])  # the first stroke replaces it
    page.wait_for_function(READS, arg="1")
    assert "Test image" not in text_of(page, "#network-words")


def test_button_shows_one_misclassified_digit_after_the_other(page, mistakes):
    for record in mistakes["digits"][:2]:
        page.click("#network-example")
        page.wait_for_function(
            "(text) => document.getElementById('network-words').textContent.startsWith(text)",
            arg=f"Test image {record['index']} is",
        )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_section_fits_and_axe_finds_no_violation(scheme, page):
    page.emulate_media(color_scheme=scheme)
    loaded_gallery(page)
    for width in (320, 360, 768, 1440) if scheme == "light" else ():
        page.set_viewport_size({"width": width, "height": 900})
        assert overflow(page) == (0, []), width
    assert violations(page) == []


def test_without_a_script_and_in_print_the_units_and_the_sentences_are_there(opener, page):
    plain = opener("index.html", at="file", java_script_enabled=False)
    page.emulate_media(media="print")
    for tab in (plain, page):
        assert tab.locator(".network-still img").bounding_box()["height"] > 50
        assert "misclassifies" in text_of(tab, "#network")
        assert "test error" in text_of(tab, "#network")
        assert not tab.is_visible("#network-canvas")
    assert "allow this page to run scripts" in text_of(plain, "#network")


def test_missing_file_beside_the_page_is_named(network, browser, tmp_path):
    (tmp_path / "index.html").write_bytes((network / "site" / "index.html").read_bytes())
    alone = Opener(browser, {"file": f"{tmp_path.as_uri()}/"})
    page = alone("index.html#network", at="file")
    page.wait_for_selector("#network.is-live")
    page.focus("#network-step")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        "() => document.getElementById('network-step-text').innerText.includes('network/steps.js is missing')"
    )
    page.locator("#network-gallery").scroll_into_view_if_needed()
    page.wait_for_function(
        "() => document.getElementById('network-shown').innerText.includes('network/mistakes.js is missing')"
    )
    for context in alone.contexts:
        context.close()
    assert alone.foreign == []
