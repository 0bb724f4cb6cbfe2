// The whole state of a room in the address, behind the #: it can be kept, sent and gone back to.

export type Words = Record<string, string>;

export interface Place {
  room: string;
  rest: string;
  words: Words;
}

export function here(): Place {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [room = "", ...rest] = path.split("/").map(decodeURIComponent);
  return { room: room || "play", rest: rest.join("/"), words: Object.fromEntries(new URLSearchParams(query)) };
}

export function there(room: string, rest = "", words: Words = {}): string {
  const query = new URLSearchParams(words).toString();
  return `#/${room}${rest ? `/${encodeURIComponent(rest)}` : ""}${query ? `?${query}` : ""}`;
}

/** Note the state without a new entry in the browser's history. */
export function keep(room: string, rest: string, words: Words): void {
  history.replaceState(null, "", there(room, rest, words));
}

/** A number from the address, or another where there is none. */
export function read(words: Words, name: string, otherwise: number): number {
  const value = Number(words[name]);
  return words[name] === undefined || !Number.isFinite(value) ? otherwise : value;
}
