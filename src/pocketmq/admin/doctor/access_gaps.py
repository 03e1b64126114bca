"""What the brokers of a cluster know differently about users and rules.

Brokers tell users with their passwords, so they are asked only where there is something to compare:
where several brokers of one cluster ask who somebody is.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

from pocketmq.admin.acls import USER_PREFIX
from pocketmq.admin.admin import Admin
from pocketmq.admin.clusters import Broker
from pocketmq.admin.doctor.facts import AccessGap, BrokerFacts

_SWITCHES = ("authenticationEnabled", "authorizationEnabled")


async def access_gaps(admin: Admin, brokers: Iterable[BrokerFacts]) -> tuple[AccessGap, ...]:
    """Users and rules that some brokers lack or have otherwise. Raise PocketMQError."""
    asking = [
        Broker(one.cluster, one.name, one.id, one.address)
        for one in brokers
        if not one.problem and any(one.is_on(switch) for switch in _SWITCHES)
    ]
    counts = Counter(one.cluster for one in asking)
    compared = [one for one in asking if counts[one.cluster] > 1]
    if not compared:
        return ()
    users, acls = await asyncio.gather(admin.users.among(compared), admin.acls.among(compared))
    gaps = [
        AccessGap(one.name, "", one.lacking, one.differences)
        for one in users.users
        if not one.same_everywhere
    ]
    gaps += [
        AccessGap(acl.subject.removeprefix(USER_PREFIX), one.rule.resource, one.lacking)
        for acl in acls.acls
        for one in acl.rules
        if one.lacking
    ]
    return tuple(gaps)
