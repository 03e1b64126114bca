"""Settings that operators keep on the name server: 100, 101, 102, 219."""

from __future__ import annotations

import logging

from pocketmq.errors import Refused
from pocketmq.nameserver.kv_table import KvTable
from pocketmq.nameserver.services.kv_saving import KvSavingService
from pocketmq.net import Connection
from pocketmq.protocol.bodies import tables
from pocketmq.protocol.codes import ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields, encode_fields
from pocketmq.protocol.requests.routes import KvNamespaceRequest, KvReply, KvRequest, PutKvRequest

_log = logging.getLogger(__name__)


class KvHandler:
    """Answers about key-value settings. A change is answered when it is on disk."""

    def __init__(self, table: KvTable, saving: KvSavingService, entries_max: int) -> None:
        self._table = table
        self._saving = saving
        self._entries_max = entries_max

    async def put(self, connection: Connection, command: Command) -> Command:
        """PUT_KV_CONFIG: add or replace a setting."""
        request = decode_fields(PutKvRequest, command.fields)
        if request.namespace is None or request.key is None:
            raise Refused(ResponseCode.SYSTEM_ERROR, "a setting needs a namespace and a key")
        is_new = self._table.get(request.namespace, request.key) is None
        if is_new and len(self._table) >= self._entries_max:
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"{self._entries_max} settings are kept; raise limits.kv_entries_max",
            )
        self._table.put(request.namespace, request.key, request.value or "")
        _log.info(
            "key-value setting changed namespace=%s key=%s by=%s",
            *(request.namespace, request.key, connection.peer),
        )
        await self._save()
        return command.reply()

    def get(self, connection: Connection, command: Command) -> Command:
        """GET_KV_CONFIG: one setting."""
        request = decode_fields(KvRequest, command.fields)
        value = self._table.get(request.namespace, request.key)
        if value is None:
            raise Refused(
                ResponseCode.QUERY_NOT_FOUND,
                f"No config item, Namespace: {request.namespace} Key: {request.key}",
            )
        return command.reply(fields=encode_fields(KvReply(value)))

    async def delete(self, connection: Connection, command: Command) -> Command:
        """DELETE_KV_CONFIG: remove a setting."""
        request = decode_fields(KvRequest, command.fields)
        if self._table.delete(request.namespace, request.key):
            _log.info(
                "key-value setting deleted namespace=%s key=%s by=%s",
                *(request.namespace, request.key, connection.peer),
            )
            await self._save()
        return command.reply()

    def list_namespace(self, connection: Connection, command: Command) -> Command:
        """GET_KVLIST_BY_NAMESPACE: all settings of a namespace."""
        request = decode_fields(KvNamespaceRequest, command.fields)
        entries = self._table.namespace(request.namespace)
        if entries is None:
            raise Refused(
                ResponseCode.QUERY_NOT_FOUND, f"No config item, Namespace: {request.namespace}"
            )
        return command.reply(body=tables.KvTable(dict(entries)).to_json())

    async def _save(self) -> None:
        try:
            await self._saving.save()
        except OSError as error:
            _log.error("key-value settings not saved reason=%s", error)
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"the setting holds until a restart only, saving failed: {error}",
            ) from None
