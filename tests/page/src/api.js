// What the page asks of murano. Each answer is JSON; a refusal is an Error with murano's own sentence.

export class Refused extends Error {
  constructor(status, text) {
    super(text.trim() || `murano answered ${status}`);
    this.status = status;
  }
}

async function answer(response) {
  const text = await response.text();
  if (response.ok) return text ? JSON.parse(text) : null;
  if (response.status === 422) return JSON.parse(text);
  throw new Refused(response.status, text);
}

const path = (parts) => '/page/api/' + parts.map(encodeURIComponent).join('/');

export const get = async (parts, query = '') => answer(await fetch(path(parts) + query));

// The header is what no form of another site can send.
export const send = async (method, parts, body) =>
  answer(await fetch(path(parts), { method, body, headers: { 'X-Murano': 'page' } }));

export const post = (parts, value) => send('POST', parts, JSON.stringify(value ?? {}));

export async function login(token) {
  await answer(await fetch('/page/login', { method: 'POST', body: token }));
}
