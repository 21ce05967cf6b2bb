// Either SDK's client with a fixed bearer token: lists, calls with progress,
// and waits for the list to change.
import * as legacy from '@modelcontextprotocol/sdk/client/index.js';
import * as legacyHTTP from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import * as modern from '@modelcontextprotocol/client';
import { report } from './input.mjs';

const info = { name: 'postern-e2e-stdio', version: '1.0.0' };

function clientOf({ sdk, mode }, changed) {
  if (sdk === 'sdk') {
    const client = new legacy.Client(info, { listChanged: { tools: { onChanged: changed } } });
    return { client, Transport: legacyHTTP.StreamableHTTPClientTransport, call: (params, options) => client.callTool(params, undefined, options) };
  }
  const client = new modern.Client(info, { versionNegotiation: { mode }, listChanged: { tools: { onChanged: changed } } });
  return { client, Transport: modern.StreamableHTTPClientTransport, call: (params, options) => client.callTool(params, options) };
}

await report(async (input, findings) => {
  let changed;
  const change = new Promise(resolve => { changed = resolve; });
  const { client, Transport, call } = clientOf(input, changed);
  const transport = new Transport(new URL(input.url), {
    requestInit: { headers: { authorization: `Bearer ${input.token}` } },
  });
  await client.connect(transport);
  findings.version = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion;
  findings.server = client.getServerVersion()?.name;
  findings.tools = (await client.listTools()).tools.map(tool => tool.name).sort();
  findings.answers = [];
  findings.progress = [];
  for (const { name, args } of input.calls) {
    const result = await call({ name, arguments: args }, { onprogress: ({ message }) => findings.progress.push(message ?? '') });
    findings.answers.push(result.content[0].text);
  }
  if (input.awaitChange) {
    await call({ name: 'grow', arguments: {} });
    await change;
    findings.changed = true;
  }
  await transport.terminateSession?.();
  await client.close();
});
