// @modelcontextprotocol/sdk, the 2025-11-25 client with bearer tokens: from
// nothing to a stepped-up call.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { report } from './input.mjs';
import { Loopback, Person } from './person.mjs';
import { recordingFetch } from './traffic.mjs';

const information = { name: 'postern-e2e-bearer', version: '1.0.0' };

class Memory {
  authorizations = [];
  saved = [];

  constructor(redirectUrl, grantTypes) {
    this.redirectUrl = redirectUrl;
    this.clientMetadata = {
      client_name: information.name,
      redirect_uris: [redirectUrl],
      token_endpoint_auth_method: 'none',
      ...(grantTypes ? { grant_types: grantTypes } : {}),
    };
  }

  state() { return (this.expectedState = crypto.randomUUID()); }
  clientInformation() { return this.client; }
  saveClientInformation(client) { this.client = client; }
  tokens() { return this.current; }
  saveTokens(tokens) {
    this.current = tokens;
    this.saved.push({ type: tokens.token_type, scope: tokens.scope ?? null, refresh: 'refresh_token' in tokens });
  }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  codeVerifier() { return this.verifier; }
  redirectToAuthorization(url) {
    this.pending = url;
    this.authorizations.push(Object.fromEntries(url.searchParams));
  }
}

class Agent {
  client = new Client(information);

  constructor(input, loopback, person, memory, traffic) {
    Object.assign(this, { input, loopback, person, memory, traffic });
  }

  #transport() {
    return new StreamableHTTPClientTransport(new URL(this.input.url), {
      authProvider: this.memory,
      fetch: recordingFetch(this.traffic),
    });
  }

  async connect() {
    this.transport = this.#transport();
    await this.#authorized(() => this.client.connect(this.transport), () => { this.transport = this.#transport(); });
  }

  call(name, args) {
    return this.#authorized(() => this.client.callTool({ name, arguments: args }));
  }

  async #authorized(act, renew = () => {}) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof UnauthorizedError)) throw error;
    }
    const parameters = await this.person.authorize(this.memory.pending, this.loopback);
    if (parameters.get('state') !== this.memory.expectedState) throw new Error('state does not come back');
    if (!parameters.has('code')) throw new Error(`no code: ${parameters}`);
    await this.transport.finishAuth(parameters.get('code'));
    renew();
    return act();
  }
}

function textOf(result) {
  return { isError: result.isError ?? false, text: result.content.map(part => part.text).join('') };
}

const toolNames = async client => (await client.listTools()).tools.map(tool => tool.name).sort();

await report(async (input, findings) => {
  const loopback = new Loopback();
  await loopback.open();
  const memory = new Memory(loopback.redirect, input.grantTypes);
  const person = new Person(input.user);
  await person.open(input.chromium);
  Object.assign(findings, { traffic: [], authorizations: memory.authorizations, tokens: memory.saved, pages: person.pages });
  const agent = new Agent(input, loopback, person, memory, findings.traffic);
  try {
    await agent.connect();
    findings.version = agent.transport.protocolVersion;
    findings.tools = await toolNames(agent.client);
    findings.calls = [];
    for (const { name, args } of input.calls) findings.calls.push({ name, ...textOf(await agent.call(name, args)) });
    findings.toolsAfter = await toolNames(agent.client);
    findings.clientID = memory.client.client_id;
    await agent.transport.terminateSession();
    await agent.client.close();
  } finally {
    await person.close();
    loopback.close();
  }
});
