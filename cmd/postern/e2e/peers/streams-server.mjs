// @modelcontextprotocol/sdk as a server of 2025-11-25 that keeps events, so
// that its streams can be resumed.
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { InMemoryEventStore } from '@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js';

const text = words => ({ content: [{ type: 'text', text: words }] });

// slow reports progress, hangs up on the client, and answers nevertheless.
async function slow(extra) {
  const { progressToken } = extra._meta ?? {};
  if (progressToken !== undefined) {
    await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress: 1 } });
  }
  extra.closeSSEStream?.();
  return text('at last');
}

function mcp() {
  const server = new McpServer({ name: 'streams', version: '1.0.0' });
  server.registerTool('echo', {}, () => text('done'));
  server.registerTool('slow', {}, slow);
  server.registerTool('risky', {}, () => text('done'));
  server.registerTool('hidden', {}, () => text('done'));
  return server;
}

const sessions = new Map();

async function begun() {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    eventStore: new InMemoryEventStore(),
    retryInterval: 10,
    onsessioninitialized: id => sessions.set(id, transport),
    onsessionclosed: id => sessions.delete(id),
  });
  await mcp().connect(transport);
  return transport;
}

const http = createServer(async (request, response) => {
  const id = request.headers['mcp-session-id'];
  const transport = id === undefined ? await begun() : sessions.get(id);
  if (transport) return transport.handleRequest(request, response);
  response.writeHead(404).end();
});
http.listen(0, '127.0.0.1');
await once(http, 'listening');
console.log(JSON.stringify({ url: `http://127.0.0.1:${http.address().port}/mcp` }));
createInterface({ input: process.stdin }).on('close', () => process.exit(0));
