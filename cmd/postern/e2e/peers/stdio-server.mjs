// @modelcontextprotocol/sdk as a server of 2025-11-25 on stdin and stdout.
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';

const server = new McpServer({ name: 'stdio-peer', version: '1.0.0' }, { capabilities: { logging: {} } });
const text = words => ({ content: [{ type: 'text', text: `${words}` }] });
const waiting = [];

// hold reports progress and answers once another caller says release.
async function hold({ words }, extra) {
  const { progressToken } = extra._meta ?? {};
  const released = new Promise(resolve => waiting.push(resolve));
  if (progressToken !== undefined) {
    await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress: 1, message: words } });
  }
  extra.signal.addEventListener('abort', () => console.error(`aborted ${words}`));
  await released;
  return text(words);
}

server.registerTool('echo', { inputSchema: { words: z.string() } }, ({ words }) => text(words));
server.registerTool('hold', { inputSchema: { words: z.string() } }, hold);
server.registerTool('release', {}, () => {
  for (const release of waiting.splice(0)) release();
  return text('released');
});
server.registerTool('environment', {}, () => text(JSON.stringify(process.env)));
server.registerTool('pid', {}, () => text(process.pid));
server.registerTool('exit', {}, () => process.exit(3));
server.registerTool('eat', {}, async () => {
  const eaten = [];
  for (let i = 0; i < 400; i++) eaten.push(Buffer.alloc(1 << 20, i));
  await new Promise(resolve => setTimeout(resolve, 5000)); // long enough to be seen
  return text(eaten.length);
});
server.registerTool('grow', {}, () => {
  server.registerTool(`grown${Math.random()}`, {}, () => text('grown')); // announces list_changed
  return text('grown');
});
setInterval(() => {}, 60_000); // it does not end with its stdin
console.error('the peer is about to listen');
await server.connect(new StdioServerTransport());
