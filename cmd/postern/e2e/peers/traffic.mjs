// A fetch that writes down every exchange and changes none.

function requestOf(input, init = {}) {
  const headers = new Headers(init.headers);
  const [scheme = null] = (headers.get('authorization') ?? '').split(' ').filter(Boolean);
  return {
    method: (init.method ?? 'GET').toUpperCase(),
    url: String(input?.url ?? input),
    scheme,
    proof: headers.has('dpop'),
    session: headers.get('mcp-session-id'),
    rpc: rpcOf(init.body),
    form: init.body instanceof URLSearchParams ? formOf(init.body) : null,
  };
}

function rpcOf(body) {
  if (typeof body !== 'string') return null;
  try {
    const { method, params } = JSON.parse(body);
    return method === undefined ? null : { method, name: params?.name ?? null };
  } catch {
    return null;
  }
}

function formOf(params) {
  const shown = ['grant_type', 'client_id', 'resource', 'scope'];
  return Object.fromEntries(shown.filter(name => params.has(name)).map(name => [name, params.get(name)]));
}

export function recordingFetch(log) {
  return async (input, init) => {
    const entry = requestOf(input, init);
    log.push(entry);
    const response = await fetch(input, init);
    entry.status = response.status;
    entry.challenge = response.headers.get('www-authenticate');
    entry.nonce = response.headers.has('dpop-nonce');
    entry.contentType = response.headers.get('content-type');
    return response;
  };
}
