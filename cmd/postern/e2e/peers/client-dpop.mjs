// @modelcontextprotocol/client with DPoP: from nothing to a stepped-up call.
import { Client, DpopSession, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { report } from './input.mjs';
import { Loopback, Person } from './person.mjs';
import { recordingFetch } from './traffic.mjs';

const information = { name: 'postern-e2e-dpop', version: '1.0.0' };

// Memory keeps what an OAuth client keeps, for one run.
class Memory {
  authorizations = [];
  saved = [];
  #session = DpopSession.create();

  constructor(redirectUrl, clientID) {
    this.redirectUrl = redirectUrl;
    this.clientMetadata = {
      client_name: information.name,
      redirect_uris: [redirectUrl],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    };
    this.clientID = clientID;
  }

  dpop() { return this.#session; }
  state() { return (this.expectedState = crypto.randomUUID()); }
  clientInformation(about) { return this.client ?? this.#known(about); }
  #known(about) { return this.clientID && about ? { client_id: this.clientID, issuer: about.issuer } : undefined; }
  saveClientInformation(client) { this.client = client; }
  tokens() { return this.current; }
  saveTokens(tokens) {
    this.current = tokens;
    this.saved.push({ type: tokens.token_type, scope: tokens.scope ?? null, refresh: 'refresh_token' in tokens });
  }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  codeVerifier() { return this.verifier; }
  saveDiscoveryState(state) { this.discovery = state; }
  discoveryState() { return this.discovery; }
  redirectToAuthorization(url) {
    this.pending = url;
    this.authorizations.push(Object.fromEntries(url.searchParams));
  }
}

class Agent {
  constructor(input, loopback, person, memory, traffic) {
    Object.assign(this, { input, loopback, person, memory, traffic });
    this.client = new Client(information, { versionNegotiation: { mode: input.mode } });
  }

  #transport() {
    return new StreamableHTTPClientTransport(new URL(this.input.url), {
      authProvider: this.memory,
      fetch: recordingFetch(this.traffic),
    });
  }

  async connect() {
    this.transport = this.#transport();
    await this.#authorized(async () => {
      await this.client.connect(this.transport);
    }, () => { this.transport = this.#transport(); });
  }

  call(name, args) {
    return this.#authorized(() => this.client.callTool({ name, arguments: args }));
  }

  // authorized runs act and, when it needs a person, asks one and runs it again, once.
  async #authorized(act, renew = () => {}) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof UnauthorizedError)) throw error;
    }
    const parameters = await this.person.authorize(this.memory.pending, this.loopback);
    if (parameters.get('state') !== this.memory.expectedState) throw new Error('state does not come back');
    await this.transport.finishAuth(parameters);
    renew();
    return act();
  }
}

function textOf(result) {
  return { isError: result.isError ?? false, text: result.content.map(part => part.text).join('') };
}

await report(async (input, findings) => {
  const loopback = new Loopback();
  await loopback.open();
  const clientID = input.registration === 'document' ? `${loopback.origin}/client.json` : undefined;
  const memory = new Memory(loopback.redirect, clientID);
  if (clientID) loopback.document = { client_id: clientID, ...memory.clientMetadata };
  const person = new Person(input.user);
  await person.open(input.chromium);
  Object.assign(findings, { traffic: [], authorizations: memory.authorizations, tokens: memory.saved, pages: person.pages });
  const agent = new Agent(input, loopback, person, memory, findings.traffic);
  try {
    await agent.connect();
    findings.version = agent.client.getNegotiatedProtocolVersion();
    findings.tools = (await agent.client.listTools()).tools.map(tool => tool.name).sort();
    findings.calls = [];
    for (const { name, args } of input.calls) findings.calls.push({ name, ...textOf(await agent.call(name, args)) });
    findings.toolsAfter = (await agent.client.listTools(undefined, { cacheMode: 'refresh' })).tools.map(tool => tool.name).sort();
    findings.clientID = memory.client?.client_id ?? clientID;
    await agent.client.close();
  } finally {
    await person.close();
    loopback.close();
  }
});
