import asyncio

from polyseme.server.wire.calls.call_tasks import end_call, know_parents


def test_a_call_ends_with_the_task_that_began_its_method():
    async def main():
        know_parents(asyncio.get_running_loop())
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
        know_parents(loop)
        outside = []
        loop.call_soon(lambda: outside.append(loop.create_task(asyncio.Event().wait())))
        await asyncio.sleep(0)
        for task in (before, *outside):
            end_call(task)
        await asyncio.wait([before, *outside], timeout=300)
        return before.cancelled(), outside[0].cancelled()

    assert asyncio.run(main()) == (True, True)
