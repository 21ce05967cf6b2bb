// What cannot be done without a script. A list is kept up to date while it is
// looked at: without it the page shows the list as it was when it was opened.
'use strict';

// The token of forms is written in another way each time, and is as good in each.
const shown = region => region.innerHTML.replace(/(name="token" value=")[^"]*/g, '$1');

for (const region of document.querySelectorAll('[data-live]')) {
  let latest = null;

  // What somebody is about to press stays where it is until they are elsewhere.
  const renew = () => {
    if (latest === null || region.contains(document.activeElement)) return;
    const next = document.createElement('div');
    next.innerHTML = latest;
    if (shown(region) !== shown(next)) region.innerHTML = latest;
    latest = null;
  };

  const stream = new EventSource(region.dataset.live);
  stream.onmessage = event => {
    latest = event.data;
    renew();
  };
  region.addEventListener('focusout', () => setTimeout(renew));
  region.classList.add('live');
}

// What is shown to be used elsewhere can be copied by a button. None of it has a
// space of its own: those are for reading.
for (const button of document.querySelectorAll('[data-copy]')) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener('click', async () => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.innerText.replace(/ /g, '').trim());
      button.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = 'Selected: copy it with the keyboard';
    }
  });
}

// Passkeys. A form with data-passkey asks the browser for one, puts the answer
// into itself and is sent as any other form.
const bytes = text => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0));
const text = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

const question = form => {
  const options = JSON.parse(form.dataset.options);
  options.challenge = bytes(options.challenge);
  if (options.user) options.user.id = bytes(options.user.id);
  for (const list of [options.allowCredentials, options.excludeCredentials])
    for (const key of list || []) key.id = bytes(key.id);
  return options;
};

const answer = credential => {
  const response = {};
  for (const name of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle'])
    if (credential.response[name]) response[name] = text(credential.response[name]);
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  const whole = { id: credential.id, rawId: text(credential.rawId), type: credential.type, response, clientExtensionResults: {} };
  return text(new TextEncoder().encode(JSON.stringify(whole)));
};

const problems = {
  InvalidStateError: 'This device has a passkey of yours already.',
  NotAllowedError: 'That was cancelled, took too long, or there is no passkey of yours here. Try again, or another way.',
  SecurityError: 'Your browser does not allow passkeys at this address.',
};

const send = (form, credential) => {
  form.elements.answer.value = answer(credential);
  form.submit();
};

const failed = (form, error) => {
  const place = form.querySelector('[data-passkey-problem]');
  place.textContent = problems[error.name] || 'Your browser could not do it. Try another one, or another way.';
  place.hidden = false;
};

let waiting = null;

for (const form of document.querySelectorAll('form[data-passkey]')) {
  if (!window.PublicKeyCredential) {
    failed(form, { name: 'none' });
    continue;
  }
  form.addEventListener('submit', async event => {
    event.preventDefault();
    if (waiting) waiting.abort();
    try {
      const publicKey = question(form);
      send(form, await (form.dataset.passkey === 'create' ? navigator.credentials.create({ publicKey }) : navigator.credentials.get({ publicKey })));
    } catch (error) {
      failed(form, error);
    }
  });
  // Where the browser offers passkeys while the name is typed, it is asked at once.
  if ('whileTyping' in form.dataset && PublicKeyCredential.isConditionalMediationAvailable) {
    PublicKeyCredential.isConditionalMediationAvailable().then(async can => {
      if (!can) return;
      waiting = new AbortController();
      try {
        send(form, await navigator.credentials.get({ publicKey: question(form), mediation: 'conditional', signal: waiting.signal }));
      } catch (error) {
        if (error.name !== 'AbortError') waiting = null;
      }
    });
  }
}
