import asyncio

import pytest

from polyseme.server.wire.calls.call_tasks import cancel_now, end_call, finished, use_call_tasks


def test_a_call_ends_with_the_task_that_began_its_method():
    async def main():
        use_call_tasks(asyncio.get_running_loop())
        methods = []

        async def hold_call():
            methods.append(asyncio.get_running_loop().create_task(asyncio.Event().wait()))
            await asyncio.Event().wait()

        holding = asyncio.create_task(hold_call())
        await asyncio.sleep(0)
        end_call(methods[0])
        await asyncio.wait([holding, methods[0]], timeout=300)
        return holding.cancelled(), methods[0].cancelled()

    assert asyncio.run(main()) == (True, True)


def test_a_task_whose_parent_is_gone_or_unknown_is_ended_alone():
    async def main():
        loop = asyncio.get_running_loop()
        before = asyncio.create_task(asyncio.Event().wait())
        use_call_tasks(loop)
        outside = []
        loop.call_soon(lambda: outside.append(loop.create_task(asyncio.Event().wait())))
        await asyncio.sleep(0)
        for task in (before, *outside):
            end_call(task)
        await asyncio.wait([before, *outside], timeout=300)
        return before.cancelled(), outside[0].cancelled()

    assert asyncio.run(main()) == (True, True)


def ended(act):
    """Do something to a task that waits for an operation of gRPC; gives both once the task has ended."""

    async def main():
        loop = asyncio.get_running_loop()
        use_call_tasks(loop)
        operation = loop.create_future()

        async def call():
            await finished(asyncio.current_task(), operation)
            await asyncio.Event().wait()

        begun = []
        loop.call_soon(lambda: begun.append(loop.create_task(call())))  # by no task, which `end_call` would end
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        (task,) = begun
        act(task, operation)
        await asyncio.wait([task], timeout=300)
        return task, operation

    return asyncio.run(main())


def test_an_operation_of_grpc_finishes_before_its_task_is_cancelled():
    def leave(task, operation):
        assert task.cancel()
        operation.get_loop().call_soon(operation.set_result, None)

    task, operation = ended(leave)
    assert (task.cancelled(), operation.cancelled()) == (True, False)


def test_a_task_that_is_cancelled_ends_so_where_its_operation_fails():
    def fail(task, operation):
        task.cancel()
        operation.set_exception(RuntimeError("the call has ended"))

    assert ended(fail)[0].cancelled()


def test_a_task_is_cancelled_as_often_as_it_was_asked_to():
    """Task groups count, to tell their own cancel from others'."""

    def twice(task, operation):
        task.cancel()
        task.cancel()
        operation.set_result(None)

    assert ended(twice)[0].cancelling() == 2


def test_an_operation_that_does_not_finish_is_cancelled_too():
    task, operation = ended(lambda task, _: task.cancel())
    assert (task.cancelled(), operation.cancelled()) == (True, True)


@pytest.mark.parametrize("end", [cancel_now, end_call])
def test_an_operation_need_not_finish_where_the_server_ends_its_call(end):
    cancelled = []

    def act(task, operation):
        end(task)
        cancelled.append(operation.cancelled())

    assert ended(act)[0].cancelled()
    assert cancelled == [True]


def test_a_task_whose_operation_has_finished_is_cancelled_as_any_other():
    async def main():
        use_call_tasks(asyncio.get_running_loop())
        waiting, rest = asyncio.Event(), asyncio.get_running_loop().create_future()

        async def call():
            await finished(asyncio.current_task(), asyncio.sleep(0))
            waiting.set()
            await rest

        task = asyncio.create_task(call())
        await waiting.wait()
        task.cancel()
        return rest.cancelled()

    assert asyncio.run(main())
