// The twilio package of npm against a switch: argv has its folder, the address of REST, account, token and a number.
const [folder, base, sid, token, ours, theirs, hook] = process.argv.slice(2);
const twilio = require(folder);
const client = twilio(sid, token);
for (const product of ["api", "verify", "messaging", "lookups"]) client[product].baseUrl = base;

(async () => {
  const found = {};
  await client.incomingPhoneNumbers.create({ phoneNumber: ours, voiceUrl: hook });
  const message = await client.messages.create({ from: ours, to: theirs, body: "Grüße aus Node" });
  found.message = [message.status, message.direction, (await client.messages(message.sid).fetch()).body];
  found.messages = (await client.messages.list({ limit: 5 })).length;
  const response = new twilio.twiml.VoiceResponse();
  response.say("Hello");
  const call = await client.calls.create({ from: ours, to: "client:1002", twiml: response.toString() });
  found.call = [call.status, call.direction];
  await client.calls(call.sid).update({ status: "canceled" });
  const queue = await client.queues.create({ friendlyName: "support", maxSize: 9 });
  found.queue = [queue.maxSize, (await client.queues.list()).length];
  found.conferences = (await client.conferences.list()).length;
  const service = await client.messaging.v1.services.create({ friendlyName: "s" });
  found.service = (await client.messaging.v1.services(service.sid).fetch()).friendlyName;
  const verify = await client.verify.v2.services.create({ friendlyName: "v", codeLength: 8 });
  const sent = await client.verify.v2.services(verify.sid).verifications.create({ to: theirs, channel: "sms" });
  const checked = await client.verify.v2
    .services(verify.sid)
    .verificationChecks.create({ to: theirs, code: "00000000" });
  found.verify = [sent.status, checked.valid];
  found.lookup = (await client.lookups.v2.phoneNumbers(ours).fetch()).countryCode;
  let pages = 0;
  for (let n = 0; n < 3; n++) await client.applications.create({ friendlyName: `a${n}` });
  await client.applications.each({ pageSize: 2 }, () => pages++);
  found.applications = (await client.applications.list({ pageSize: 2 })).length;
  try {
    await client.messages.create({ from: ours, to: "nobody", body: "x" });
  } catch (error) {
    found.error = [error.status, error.code, error.moreInfo];
  }
  await client.queues(queue.sid).remove();
  process.stdout.write(JSON.stringify(found));
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
