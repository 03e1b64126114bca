// Send a message by hand.

import { at, get, mayWrite, post, useAction } from "../api.js";
import { fromInput } from "../format.js";
import { Copy, Definitions, Note, Problem } from "../parts/basics.js";
import { Choice, Long, Name, readPairs, Select, Text, writePairs } from "../parts/fields.js";
import { Head } from "../parts/shell.js";
import { route, to } from "../router.js";
import { useCell } from "../store.js";
import { t } from "../text.js";
import { html, useEffect, useState } from "../view.js";

// RocketMQ's own levels, as brokers have them unless somebody changed messageDelayLevel.
const LEVELS = ["1 s", "5 s", "10 s", "30 s", "1 min", "2 min", "3 min", "4 min", "5 min", "6 min", "7 min", "8 min", "9 min", "10 min", "20 min", "30 min", "1 h", "2 h"];
const OF_THE_BROKER = /^(UNIQ_KEY|WAIT|TAGS|KEYS|CLUSTER|MSG_REGION|TRACE_ON|DELAY|TIMER_|REAL_|PGROUP|TRAN_|__|RETRY_TOPIC|ORIGIN_|DLQ_|MIN_OFFSET|MAX_OFFSET|CONSUME_START|RECONSUME|MAX_RECONSUME|INSTANCE_ID|CORRELATION|REPLY_|MSG_TYPE|TTL|POP_CK|1ST_POP|DUP_INFO|EXTEND_UNIQ)/;

export function Page() {
  const { query } = useCell(route);
  const [form, setForm] = useState({ topic: query.topic ?? "", body: "", tag: "", keys: "", properties: "", when: "now", level: "1", at: "", order: "" });
  const [binary, setBinary] = useState(null);
  const [receipt, setReceipt] = useState(null);
  const change = (name) => (value) => setForm((old) => ({ ...old, [name]: value }));
  const copy = useAction(async () => {
    const message = await get(at`/messages/${query.topic}/${query.like}`);
    const own = Object.entries(message.properties).filter(([name]) => !OF_THE_BROKER.test(name));
    setForm((old) => ({ ...old, tag: message.tag ?? "", keys: message.keys.join(" "), body: message.body.views.text ?? "", properties: writePairs(Object.fromEntries(own)) }));
    setBinary(message.body.views.text === null && !message.body.cut ? message.body.base64 : null);
    if (message.body.cut) throw new Error(t("send.too_large_to_copy"));
  });
  useEffect(() => {
    if (query.topic && query.like) copy.run();
  }, [query.like]);
  const send = useAction(() => post("/messages", compose(form, binary)));
  const submit = async (event) => {
    event.preventDefault();
    setReceipt(null);
    setReceipt((await send.run()) ?? null);
  };
  if (!mayWrite()) return html`<${Head} title=${t("page.send")} /><${Note} tone="warn"><span>${t("viewer.cannot")}</span><//>`;
  return html`<${Head} title=${t("page.send")} lead=${t("send.lead")} />
    <${Problem} error=${copy.error} />
    ${receipt && html`<${Receipt} receipt=${receipt} />`}
    <section class="panel"><form class="inside stack" onSubmit=${submit}>
      <div class="form cols">
        <${Name} kind="topics" label=${t("column.topic")} value=${form.topic} onValue=${change("topic")} required />
        <${Text} label=${t("column.tag")} value=${form.tag} onValue=${change("tag")} help=${t("send.tag.help")} />
        <${Text} label=${t("column.keys")} value=${form.keys} onValue=${change("keys")} help=${t("send.keys.help")} />
        <${Text} label=${t("send.order")} value=${form.order} onValue=${change("order")} help=${t("send.order.help")} />
        ${binary === null
          ? html`<${Long} label=${t("column.body")} value=${form.body} onValue=${change("body")} rows=${9} />`
          : html`<div class="whole"><${Note} tone="info"><span>${t("send.binary")}</span>
              <button type="button" class="link" onClick=${() => setBinary(null)}>${t("send.binary.write")}</button><//></div>`}
        <${Long} label=${t("message.properties")} help=${t("pairs.help")} value=${form.properties} onValue=${change("properties")} rows=${3} />
      </div>
      <div class="row">
        <${Choice} label=${t("send.when")} value=${form.when} onValue=${change("when")} options=${["now", "level", "at"].map((name) => [name, t(`send.${name}`)])} />
      </div>
      <div class="form cols">
        ${form.when === "level" && html`<${Select} label=${t("send.level")} value=${form.level} onValue=${change("level")} options=${LEVELS.map((time, n) => [String(n + 1), `${n + 1} · ${time}`])} />`}
        ${form.when === "at" && html`<${Text} label=${t("send.moment")} type="datetime-local" step="1" value=${form.at} onValue=${change("at")} required />`}
      </div>
      <${Problem} error=${send.error} />
      <div class="row end"><button type="submit" class="main" disabled=${send.busy}>${t("send.do")}</button></div>
    </form></section>`;
}

function Receipt({ receipt }) {
  return html`<${Note} tone=${receipt.status === "SEND_OK" ? "good" : "warn"} title=${t("send.done", { topic: receipt.topic })} live>
    <${Definitions} items=${[
      [t("message.id"), html`<a class="mono wrap" href=${to("messages", receipt.topic, receipt.offset_id || receipt.id)}>${receipt.id}</a> <${Copy} text=${receipt.id} />`],
      [t("column.queue"), `${receipt.broker}:${receipt.queue_id} @ ${receipt.offset}`],
      [t("column.state"), receipt.status],
    ]} /><//>`;
}

function compose(form, binary) {
  const body = binary === null ? { body: form.body } : { body_base64: binary };
  const properties = readPairs(form.properties);
  const keys = form.keys.split(/\s+/).filter(Boolean);
  return {
    topic: form.topic.trim(),
    ...body,
    ...(form.tag.trim() && { tag: form.tag.trim() }),
    ...(keys.length > 0 && { keys }),
    ...(Object.keys(properties).length > 0 && { properties }),
    ...(form.when === "level" && { delay_level: Number(form.level) }),
    ...(form.when === "at" && { deliver_at_ms: fromInput(form.at) }),
    ...(form.order.trim() && { order_by: form.order.trim() }),
  };
}
