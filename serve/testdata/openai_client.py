"""Calls the server as a program does that knows OpenAI's images alone. Usage: openai_client.py URL TOKEN"""

import base64
import struct
import sys

import openai


def size(text):
    """Returns the width and the height of a PNG in base64."""
    file = base64.b64decode(text)
    assert file[:8] == b"\x89PNG\r\n\x1a\n", file[:8]
    return struct.unpack(">II", file[16:24])


def refused(kind, call, param=None):
    """Checks that a call raises an error of a class, about a field."""
    try:
        call()
    except kind as error:
        assert type(error) is kind and error.message, error
        assert param is None or error.param == param, (error.param, param)
        return
    raise AssertionError(f"{kind.__name__} did not come")


client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key=sys.argv[2], max_retries=0)

names = [model.id for model in client.models.list()]
assert names[-3:] == ["mnist", "mnist-fast", "emoji"], names
assert client.models.retrieve("mnist-fast").owned_by == "fmimg"

result = client.images.generate(model="mnist-fast", prompt="7", n=2, size="280x280", response_format="b64_json",
                                extra_body={"seed": 5, "steps": 1})
assert [size(image.b64_json) for image in result.data] == [(280, 280)] * 2 and result.created > 0
again = client.images.generate(model="mnist-fast", prompt="7", n=2, size="280x280", extra_body={"seed": 5, "steps": 1})
assert [image.b64_json for image in result.data] == [image.b64_json for image in again.data]
webp = client.images.generate(model="mnist-fast", prompt="7", output_format="webp", extra_body={"steps": 1})
assert base64.b64decode(webp.data[0].b64_json)[:4] == b"RIFF"

events = list(client.images.generate(model="mnist", prompt="3", stream=True, partial_images=2, extra_body={"steps": 4}))
kinds = [event.type for event in events]
assert kinds == ["image_generation.partial_image"] * 2 + ["image_generation.completed"], kinds
assert [event.partial_image_index for event in events[:2]] == [0, 1] and size(events[2].b64_json) == (28, 28)

picture = base64.b64decode(client.images.generate(model="mnist-fast", prompt="7", extra_body={"steps": 1}).data[0].b64_json)
varied = client.images.edit(model="mnist", image=("seven.png", picture, "image/png"), prompt="7", n=2,
                            extra_body={"level": 0.3, "steps": 2})
assert [size(image.b64_json) for image in varied.data] == [(28, 28)] * 2
mask = open(sys.argv[3], "rb").read()
drawn = client.images.edit(model="mnist", image=picture, mask=mask, prompt="7", extra_body={"steps": 2, "times": 1})
assert size(drawn.data[0].b64_json) == (28, 28)

refused(openai.NotFoundError, lambda: client.images.generate(model="gpt-image-1", prompt="7"), "model")
refused(openai.NotFoundError, lambda: client.models.retrieve("nothing"), "model")
refused(openai.BadRequestError, lambda: client.images.generate(model="mnist", prompt="a cat"), "prompt")
refused(openai.BadRequestError, lambda: client.images.generate(model="mnist", prompt="7", size="1024x1024"), "size")
refused(openai.BadRequestError, lambda: client.images.generate(model="mnist", prompt="7", response_format="url"), "response_format")
refused(openai.BadRequestError, lambda: client.images.generate(model="mnist", prompt="7", stream=True, n=0), "n")
stranger = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="wrong", max_retries=0)
refused(openai.AuthenticationError, lambda: stranger.models.list())
print("the openai client", openai.__version__, "is served")
