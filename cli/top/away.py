"""What takes a while is done by a thread that nobody waits for at the end."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress


async def away[T](work: Callable[[], T]) -> T:
    """What `work` returns or raises. A screen that is left meanwhile is gone at once, whatever the work waits for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(answer: Callable[[], T]) -> None:
        if done.done():  # nobody wants it any more
            return
        try:
            done.set_result(answer())
        except Exception as e:  # noqa: BLE001 - whoever asked for it gets it
            done.set_exception(e)

    def run() -> None:
        answer = _outcome(work)
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, answer)

    threading.Thread(target=run, name="top", daemon=True).start()
    return await done


def _outcome[T](work: Callable[[], T]) -> Callable[[], T]:
    try:
        found = work()
    except Exception as e:  # noqa: BLE001 - it is raised where the answer is awaited
        error = e

        def fail() -> T:
            raise error

        return fail
    return lambda: found
