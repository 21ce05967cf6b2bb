// @modelcontextprotocol/sdk as a client that resumes the stream it loses.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { report } from './input.mjs';

await report(async (input, findings) => {
  findings.resumed = [];
  const transport = new StreamableHTTPClientTransport(new URL(input.url), {
    requestInit: { headers: { authorization: `Bearer ${input.token}` } },
    fetch: async (url, init) => {
      const after = new Headers(init.headers).get('last-event-id');
      const response = await fetch(url, init);
      if (after) findings.resumed.push({ after, status: response.status });
      return response;
    },
  });
  const client = new Client({ name: 'postern-e2e-streams', version: '1.0.0' });
  await client.connect(transport);
  findings.progress = 0;
  const result = await client.callTool({ name: 'slow', arguments: {} }, undefined, { onprogress: () => findings.progress++ });
  findings.text = result.content[0].text;
  await transport.terminateSession();
  await client.close();
});
