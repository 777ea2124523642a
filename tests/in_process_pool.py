"""The pool of a sweep without processes, for the fixture `in_process`."""

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

from nnkernels.sweep import images, worker


class InProcess:
    """An executor in this process. Its workers are killed as often as ``kills`` says, each at its second training."""

    kills = 0

    def __init__(self, workers, context, initializer, arguments):
        worker._dataset = images.read_images(arguments[0])
        self.submitted = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, function, *arguments):
        future, self.submitted = Future(), self.submitted + 1
        if type(self).kills and self.submitted > 1:
            type(self).kills -= 1
            future.set_exception(BrokenProcessPool("killed"))
            return future
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future
