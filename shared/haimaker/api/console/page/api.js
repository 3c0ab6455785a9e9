/* The gateway's operations, asked with one key, or in the session of who signed in by an identity provider. The key, or the session's
   token, is sent in a header, to where the page came from, and nowhere else. */

/** Where the page is, without `console`: a stage or a base path may come before it. */
export const ADDRESS = location.origin + location.pathname.replace(/\/+console\/*$/, "");
/** What a client takes as its base_url. */
export const BASE_URL = ADDRESS.endsWith("/v1") ? ADDRESS : `${ADDRESS}/v1`;

export class ApiError extends Error {
  constructor(status, { message, code, param } = {}) {
    super(message ?? `The gateway answered ${status}.`);
    this.status = status;
    this.code = code;
    this.param = param;
  }
}

export class Api {
  #headers;
  #credentials;

  constructor(headers, credentials = "omit") {
    this.#headers = headers;
    this.#credentials = credentials;
  }

  static withKey(key) {
    return new Api({ authorization: `Bearer ${key}` });
  }

  /** With the browser's cookie, which counts together with this token only. */
  static inSession(token) {
    return new Api({ "x-haimaker-csrf": token }, "same-origin");
  }

  get(path, query = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== "" && value != null);
    const text = new URLSearchParams(given).toString();
    return this.#json("GET", text ? `${path}?${text}` : path);
  }

  post(path, body) {
    return this.#json("POST", path, body);
  }

  /** The answer itself, once it begins. Throws ApiError. */
  async send(method, path, body, signal) {
    const response = await this.#fetch(method, path, body, signal);
    if (!response.ok) throw new ApiError(response.status, (await read(response))?.error);
    return response;
  }

  async #json(method, path, body) {
    return read(await this.send(method, path, body));
  }

  async #fetch(method, path, body, signal) {
    const headers = { ...this.#headers };
    if (body !== undefined) headers["content-type"] = "application/json";
    const options = { method, headers, signal, body: JSON.stringify(body), cache: "no-store", credentials: this.#credentials, redirect: "error" };
    try {
      return await fetch(ADDRESS + path, options);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError(0, { message: "The gateway can't be reached.", code: "unreachable" });
    }
  }
}

async function read(response) {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
