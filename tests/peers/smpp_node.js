// A customer on the smpp package of npm: binds, submits texts in three encodings, takes receipts and replies.
// node smpp_node.js FOLDER_OF_PACKAGE PORT SYSTEM_ID PASSWORD; says what it hears as lines of JSON.
"use strict";
const [folder, port, systemId, password] = process.argv.slice(2);
const smpp = require(folder);
const say = (what, values) => process.stdout.write(JSON.stringify({ what, ...values }) + "\n");
const session = smpp.connect({ url: `smpp://127.0.0.1:${port}`, auto_enquire_link_period: 1000 }, () => {
  session.bind_transceiver({ system_id: systemId, password, interface_version: 0x50 }, (answer) => {
    say("bound", { status: answer.command_status, system_id: answer.system_id });
    for (const text of ["plain text", "Grüße {€}", "жжж"]) submit({ short_message: text }, text);
    submit({ message_payload: "long ".repeat(60) }, "payload");
    session.query_sm({ message_id: "12345", source_addr: "1" }, (found) =>
      say("queried", { status: found.command_status }));
  });
});
const submit = (more, text) =>
  session.submit_sm(
    { source_addr_ton: 5, source_addr: "NODE", dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: "491711",
      registered_delivery: 1, ...more },
    (answer) => say("answered", { text, status: answer.command_status, id: answer.message_id }));
session.on("deliver_sm", (pdu) => {
  const message = pdu.short_message.message ?? (pdu.message_payload && pdu.message_payload.message);
  session.send(pdu.response());
  if (pdu.esm_class & 4) say("receipt", { id: pdu.receipted_message_id, state: pdu.message_state });
  else say("message", { text: message.toString() });
});
session.on("unknown", (pdu) => say("unknown", { command: pdu.command }));
session.on("error", (error) => say("error", { text: String(error) }));
session.on("close", () => process.exit(0));
process.stdin.on("end", () => session.unbind(() => session.close())).resume();
