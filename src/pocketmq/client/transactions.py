"""Transactions: a message that consumers see only once its producer says so.

    half message stored -> the user's own work -> commit or rollback
                                 |
                                 +-- neither arrives: the broker asks (check-back), again and again

The half message is invisible. If this process dies between the two, the broker asks any producer of
the same group how it ended; so the answer must come from a database, not from memory.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Final

from pocketmq.client.hooks import EndTransactionContext
from pocketmq.client.messages import ReceivedMessage, SendReceipt, SendStatus
from pocketmq.clock import SystemClock
from pocketmq.errors import BrokerRefused, ClientError, NetError, SendFailed
from pocketmq.message import properties as names
from pocketmq.message.ids import decode_offset_message_id
from pocketmq.message.positions import LogOffset, QueueOffset
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.requests.transactions import (
    COMMIT,
    ROLLBACK,
    UNKNOWN,
    CheckTransactionRequest,
    EndTransactionRequest,
)

if TYPE_CHECKING:
    from pocketmq.client.producer import Producer

_log = logging.getLogger(__name__)

Verdict = bool | None
"""True commits, False rolls back, None asks to be asked again."""
Check = Callable[[ReceivedMessage], Verdict | Awaitable[Verdict]]

OUTCOMES: Final = {COMMIT: "commit", ROLLBACK: "rollback", UNKNOWN: "unknown"}
TELL_ATTEMPTS: Final = 3
TELL_PAUSE_SECONDS: Final = 0.1
CHECKS_MAX: Final = 256
THREADS_MAX: Final = 4


class Transaction:
    """One transaction; made by `producer.transaction(...)` and used with `async with`.

    The body of the `with` is the work that must happen together with the message. When it ends the
    message is committed; when it raises, it is rolled back and the exception goes on. `commit`,
    `rollback` and `leave_open` inside the body decide earlier.
    """

    def __init__(self, producer: Producer, send_half: Callable[[], Awaitable[SendReceipt]]) -> None:
        self._producer = producer
        self._send_half = send_half
        self._receipt: SendReceipt | None = None
        self._is_decided = False
        self.outcome = ""
        """commit, rollback or unknown, once decided."""

    @property
    def receipt(self) -> SendReceipt:
        """Where the half message lies."""
        assert self._receipt is not None, "the transaction begins with `async with`"
        return self._receipt

    @property
    def message_id(self) -> str:
        """The message's unique key: what to note in the database for the check-back."""
        return self.receipt.message_id

    async def __aenter__(self) -> Transaction:
        receipt = await self._send_half()
        self._receipt = receipt
        if receipt.status is not SendStatus.OK:
            await self._end(ROLLBACK)
            raise SendFailed(
                receipt.topic,
                [(receipt.broker_name, ClientError(f"half message: {receipt.status.value}"))],
            )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_decided:
            return
        if error is None:
            await self.commit()
            return
        try:
            await self._end(ROLLBACK)
        except (ClientError, NetError) as problem:
            # The user's exception matters more; unheard rollbacks are settled by the check-back.
            _log.warning("rollback not heard id=%s: %s", self.message_id, problem)

    async def commit(self) -> None:
        """Let consumers see the message. Raise BrokerRefused when the broker has lost the half.

        A commit that does not reach the broker is logged; the broker's check-back settles it.
        """
        await self._end(COMMIT)

    async def rollback(self) -> None:
        """Throw the message away."""
        await self._end(ROLLBACK)

    def leave_open(self) -> None:
        """Decide nothing: the broker will ask."""
        self._is_decided = True
        self.outcome = OUTCOMES[UNKNOWN]

    async def _end(self, kind: int) -> None:
        if self._is_decided:
            raise ClientError(
                f"the transaction {self.message_id} is decided already ({self.outcome}); "
                "decide once"
            )
        self._is_decided = True
        self.outcome = OUTCOMES[kind]
        receipt = self.receipt
        request = EndTransactionRequest(
            self._producer.wire_group,
            QueueOffset(receipt.queue_offset),
            decode_offset_message_id(receipt.offset_message_id).log_offset,
            kind,
            False,
            receipt.message_id,
            receipt.transaction_id or receipt.message_id,
            self._producer.namespace.outward(receipt.topic),
        )
        address = self._producer.broker_address(receipt.topic, receipt.broker_name)
        await self._tell(address, request)
        self._producer.hooks.after_end_transaction(
            EndTransactionContext(
                self._producer.group,
                self._producer.client_id,
                receipt.topic,
                receipt.message_id,
                "",
                "",
                self.outcome,
                False,
                address,
                request.transaction_id or "",
                SystemClock.now_ms(),
            )
        )

    async def _tell(self, address: str, request: EndTransactionRequest) -> None:
        calls = self._producer.instance.calls
        for attempt in range(1, TELL_ATTEMPTS + 1):
            try:
                await calls.ask(
                    address,
                    RequestCode.END_TRANSACTION,
                    request,
                    step=f"the {self.outcome} of transaction {self.message_id}",
                )
                return
            except NetError as error:
                if attempt == TELL_ATTEMPTS:
                    _log.warning(
                        "%s not heard, the broker will ask id=%s: %s",
                        self.outcome,
                        self.message_id,
                        error,
                    )
                    return
                await asyncio.sleep(TELL_PAUSE_SECONDS * attempt)


class CheckBack:
    """Answers brokers that ask how a transaction ended."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._tasks: set[asyncio.Task[None]] = set()
        self._threads: ThreadPoolExecutor | None = None
        self.check: Check | None = None

    def asked(
        self, address: str, request: CheckTransactionRequest, message: ReceivedMessage
    ) -> None:
        """A broker asks."""
        if self.check is None:
            _log.warning(
                "a broker asks how a transaction ended, but the producer has no check; set one "
                "with @producer.check group=%s id=%s",
                self._producer.group,
                message.message_id,
            )
            return
        if len(self._tasks) >= CHECKS_MAX:
            _log.warning("too many checks at once; the broker will ask again address=%s", address)
            return
        task = asyncio.ensure_future(self._answer(self.check, address, request, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(
        self,
        check: Check,
        address: str,
        request: CheckTransactionRequest,
        message: ReceivedMessage,
    ) -> None:
        producer = self._producer
        message.topic = producer.namespace.inward(message.topic)
        try:
            verdict = await self._verdict(check, message)
        except Exception as error:  # noqa: BLE001 - the user's check; the broker asks again
            _log.error("the check raised id=%s", message.message_id, exc_info=error)
            verdict = None
        kind = UNKNOWN if verdict is None else COMMIT if verdict else ROLLBACK
        properties = message.properties
        unique_key = properties.get(names.UNIQUE_KEY) or request.msg_id or ""
        end = EndTransactionRequest(
            producer.wire_group,
            request.tran_state_table_offset,
            LogOffset(request.commit_log_offset),
            kind,
            True,
            unique_key,
            request.transaction_id,
            producer.namespace.outward(message.topic),
        )
        try:
            await producer.instance.calls.tell(address, RequestCode.END_TRANSACTION, end)
        except (NetError, BrokerRefused) as error:
            _log.warning("the broker did not hear the answer id=%s: %s", unique_key, error)
            return
        producer.hooks.after_end_transaction(
            EndTransactionContext(
                producer.group,
                producer.client_id,
                message.topic,
                unique_key,
                properties.get(names.TAGS, ""),
                properties.get(names.KEYS, ""),
                OUTCOMES[kind],
                True,
                address,
                request.transaction_id or "",
                SystemClock.now_ms(),
            )
        )

    async def close(self) -> None:
        """Stop answering; what is being answered is given up."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._threads is not None:
            self._threads.shutdown(wait=False)

    async def _verdict(self, check: Check, message: ReceivedMessage) -> Verdict:
        """The check's answer; a plain function runs on a thread, where it may block."""
        answer: object
        if inspect.iscoroutinefunction(check):
            answer = await check(message)
        else:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(THREADS_MAX, "pocketmq-check")
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._threads, check, message)
            if inspect.isawaitable(answer):
                answer = await answer
        if answer is not None and not isinstance(answer, bool):
            raise TypeError(f"a check returns True, False or None, not {answer!r}")
        return answer
