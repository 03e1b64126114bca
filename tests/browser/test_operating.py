"""What an operator does, done through the pages against a real cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.browser.chromium import Tab, Visitor
from tests.browser.stage import BACKLOG, HOSTILE, PARCELS, Stage, wait_for


@pytest.fixture(scope="module")
def desk(visitor: Visitor, shared_stage: Stage) -> Iterator[Tab]:
    with visitor.tab(shared_stage.url) as opened:
        yield opened


@pytest.fixture
def tab(desk: Tab) -> Iterator[Tab]:
    """The operator's one tab, which each test has to leave quiet."""
    desk.refusals.clear()
    yield desk
    desk.assert_quiet()
    desk.go("nowhere")  # closes a dialog that a test left open


def test_a_topic_is_made_changed_found_and_deleted(tab: Tab, shared_stage: Stage) -> None:
    tab.go("topics")
    tab.press("New topic")
    tab.fill("Name of the topic", "invoices")
    tab.fill("Queues on each broker", "6")
    tab.page.keyboard.press("Enter")
    tab.page.get_by_role("heading", name="invoices").wait_for()
    tab.see("pocketmq:5")
    tab.press("Change")
    tab.choose("Permission", "read")
    tab.press("Save")
    tab.tab("Per broker")
    tab.see("read only")
    tab.go("topics")
    tab.page.get_by_role("searchbox", name="Find a topic").fill("invoi")
    tab.page.locator("tbody tr:only-child").wait_for()
    assert "invoices" in tab.rows().first.inner_text()
    tab.press("invoices")
    tab.press("Delete")
    delete = tab.page.locator("dialog").get_by_role("button", name="Delete")
    assert delete.is_disabled()
    tab.fill("Type invoices to confirm", "invoices")
    delete.click()
    tab.page.get_by_role("heading", name="Topics").wait_for()
    tab.page.get_by_role("status").get_by_text("invoices is deleted").wait_for()


def test_a_name_that_is_taken_is_refused_in_the_dialog(tab: Tab) -> None:
    tab.refusals.add(409)
    tab.go("topics")
    tab.press("New topic")
    tab.fill("Name of the topic", "orders")
    tab.page.locator("dialog").get_by_role("button", name="New topic").click()
    alert = tab.page.locator("dialog [role=alert]")
    alert.wait_for()
    assert "orders" in alert.inner_text()


def test_a_group_is_made_changed_and_deleted(tab: Tab) -> None:
    tab.go("groups")
    tab.press("New group")
    tab.fill("Name of the group", "nightly")
    tab.fill("Retries", "3")
    tab.page.locator("dialog").get_by_role("button", name="New group").click()
    tab.page.get_by_role("heading", name="nightly").wait_for()
    tab.press("Change")
    tab.page.get_by_label("In order").check()
    tab.press("Save")
    tab.tab("Per broker")
    tab.page.locator("tbody td", has_text="yes").nth(1).wait_for()
    tab.press("Delete")
    tab.fill("Type nightly to confirm", "nightly")
    tab.page.locator("dialog").get_by_role("button", name="Delete").click()
    tab.page.get_by_role("heading", name="Groups").wait_for()
    assert tab.page.get_by_role("link", name="nightly").count() == 0


def test_a_message_is_found_by_key_id_place_and_time(tab: Tab, shared_stage: Stage) -> None:
    tab.go("messages")
    tab.fill("Topic", "payments")
    tab.press("Find")
    tab.see(f"{BACKLOG} in all")
    tab.pick("Key")
    tab.fill("Key", "order-4007")
    tab.press("Find")
    tab.page.locator("tbody tr:only-child").wait_for()
    assert '"order": 4007' in tab.rows().first.inner_text()
    tab.pick("Queue and offset")
    tab.fill("Queue", "pocketmq:0")
    tab.see("This queue holds 0 up to")
    tab.fill("Offset", "3")
    tab.press("Find")
    tab.rows().first.locator("td", has_text="pocketmq:0").wait_for()
    tab.go("messages")
    tab.pick("Id")
    tab.fill("Topic", "mail")
    tab.fill("Message id", shared_stage.ids["json"])
    tab.press("Find")
    tab.page.locator("tbody tr:only-child a").first.click()
    tab.page.get_by_role("heading", name=shared_stage.ids["json"]).wait_for()
    tab.see("schnell, 请")


def test_a_body_is_shown_as_text_json_and_hex(tab: Tab, shared_stage: Stage) -> None:
    tab.go(f"messages/mail/{shared_stage.ids['binary']}")
    tab.see("00 01 02 03")
    tab.go(f"messages/mail/{shared_stage.ids['json']}")
    tab.see('"sku": "A-1"')
    tab.pick("Hex")
    tab.see("7b 22")
    with tab.page.expect_download() as download:
        tab.page.get_by_role("link", name="Download").click()
    assert download.value.path().read_bytes().startswith(b'{"order": 4711')


@pytest.mark.parametrize("view", ["", "?tab=properties", "?tab=explain", "?tab=trace"])
def test_what_an_attacker_sent_is_text(tab: Tab, shared_stage: Stage, view: str) -> None:
    tab.go(f"messages/hostile/{shared_stage.ids['hostile']}{view}")
    tab.see("hostile")
    if view in ("", "?tab=properties"):
        tab.see(HOSTILE)
    tab.go("messages?topic=hostile")
    tab.see(HOSTILE[:40])
    assert tab.page.evaluate("window.hurt") is None


def test_a_message_is_sent_and_followed(tab: Tab) -> None:
    tab.go("send")
    tab.fill("Topic", "shipments")
    tab.fill("Tag", "express")
    tab.fill("Keys", "s-1 s-2")
    tab.fill("Body", "by plane")
    tab.fill("Properties", "weight = 12\nfragile = yes")
    tab.press("Send")
    tab.see("Stored in shipments")
    tab.page.locator("[role=alert] a").first.click()
    tab.see("by plane")
    tab.tab("Properties")
    tab.see("fragile")
    tab.tab("What happened")
    tab.see("No group has ever read this topic.")
    tab.press("Send one like it")
    wait_for(lambda: tab.field("Keys").input_value() == "s-1 s-2", "the copy")
    assert tab.field("Body").input_value() == "by plane"
    assert "weight = 12" in tab.field("Properties").input_value()


def test_properties_that_cannot_be_read_are_explained(tab: Tab, shared_stage: Stage) -> None:
    before = len(shared_stage.broker.messages("shipments"))
    tab.go("send?topic=shipments")
    tab.fill("Properties", "no sign of equality")
    tab.press("Send")
    tab.see("Write name = value")
    assert len(shared_stage.broker.messages("shipments")) == before


def test_a_message_is_given_to_a_consumer_again(tab: Tab, shared_stage: Stage) -> None:
    tab.go(f"messages/traced/{shared_stage.ids['traced']}")
    tab.press("Give to a consumer")
    dialog = tab.page.locator("dialog")
    dialog.get_by_label("Group").get_by_role("option", name="audit").wait_for(state="attached")
    dialog.get_by_role("button", name="Give it").click()
    dialog.get_by_text("answered after").wait_for()
    assert "consumed" in dialog.inner_text()


def test_a_filter_is_tried(tab: Tab, shared_stage: Stage) -> None:
    tab.go("filter")
    tab.press("Test")
    tab.see("The filter takes this message")
    tab.page.locator("tbody code", has_text="amount = 250").wait_for()
    tab.fill("Filter", "amount > 300")
    tab.press("Test")
    tab.see("The filter leaves this message out")
    tab.fill("Filter", "amount >> 300")
    tab.press("Test")
    tab.see("This is no valid expression")
    tab.pick("A stored message")
    tab.fill("Filter", "amount > 0")
    tab.fill("Topic", "payments")
    tab.fill("Message id", shared_stage.ids["payment"])
    tab.press("Test")
    assert tab.see("The filter takes this message").is_visible()
    assert tab.page.get_by_text("This is no valid expression").count() == 0


def test_a_position_is_moved_after_a_look(tab: Tab, shared_stage: Stage) -> None:
    tab.go("offsets?group=audit&topic=traced")
    tab.choose("To", "start")
    tab.press("Preview")
    tab.see("1 messages will be consumed again.")
    tab.press("Reset…")
    tab.page.locator("dialog").get_by_role("button", name="Reset").click()
    tab.page.get_by_role("status").get_by_text("audit stands elsewhere").wait_for()
    tab.pick("Skip the backlog")
    tab.press("Preview")
    tab.see("What would happen")
    tab.refusals.add(404)  # the group is asked for, and is not there yet
    tab.pick("Copy from a group")
    tab.fill("To group", "auditors")
    tab.press("Preview")
    assert tab.see("What would happen").is_visible()


def test_dead_letters_go_back_with_one_click(tab: Tab, shared_stage: Stage) -> None:
    shared_stage.mended.set()
    tab.go("dead-letters")
    tab.press("labels")
    tab.see("parcel-0")
    assert tab.rows().count() == PARCELS
    tab.press("Send all back")
    tab.page.locator("dialog").get_by_role("button", name="Send back").click()
    tab.see("Sending back dead letters of labels")
    tab.see(f"{PARCELS} of {PARCELS}")
    tab.see("done")
    wait_for(lambda: len(shared_stage.consumed) == PARCELS, "the parcels")
    assert sorted(shared_stage.consumed) == sorted(f"parcel {n}" for n in range(PARCELS))


def test_a_delayed_message_is_looked_at(tab: Tab, shared_stage: Stage) -> None:
    tab.go("waiting")
    tab.press("18")
    tab.see("in two hours, too")
    tab.press("← Delayed by level")
    assert tab.see("2 h").is_visible()
    assert shared_stage.broker.messages("reminders") == [], "to look delivers nothing"


def test_a_setting_is_changed_while_the_broker_runs(tab: Tab) -> None:
    tab.go("settings")
    tab.page.get_by_role("searchbox", name="Find a setting").fill("fileReservedTime")
    tab.press("Change fileReservedTime")
    tab.fill("Value", "48")
    tab.press("Save")
    tab.page.get_by_role("status").get_by_text("fileReservedTime is 48 now").wait_for()
    tab.rows().get_by_role("cell", name="48", exact=True).wait_for()
    tab.page.reload()
    kept = tab.rows().filter(has_text="fileReservedTime").get_by_text("48", exact=True)
    kept.wait_for()
    assert kept.count() == 1


def test_a_wrong_value_of_a_setting_is_refused_with_a_reason(tab: Tab) -> None:
    tab.refusals |= {400, 422}
    tab.go("settings")
    tab.page.get_by_role("searchbox", name="Find a setting").fill("fileReservedTime")
    tab.press("Change fileReservedTime")
    tab.fill("Value", "soon")
    tab.press("Save")
    tab.page.locator("dialog [role=alert]").wait_for()
    assert "fileReservedTime" in tab.page.locator("dialog [role=alert]").inner_text()


def test_a_consumer_shows_its_threads_when_asked(tab: Tab, shared_stage: Stage) -> None:
    tab.go(f"groups/billing/clients/{shared_stage.ids['one']}")
    tab.tab("Threads")
    tab.press("Ask for its threads")
    tab.tab("Its settings")
    tab.page.locator("dl dt").first.wait_for()
    assert tab.page.locator("dl dt").count() > 3
