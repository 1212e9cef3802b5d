// Photos of this browser that the service does not have: those that wait to be sent, and originals for comparing.
// A record: key, file, label, batch, options, order; image: the service's id once it has been sent.

const NAME = "photoward";
const STORE = "photos";
const channel = new BroadcastChannel(NAME);

const opened = new Promise((resolve, reject) => {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "key" });
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});
opened.catch(() => {}); // whoever uses it hears of it

async function run(mode, act) {
  const transaction = (await opened).transaction(STORE, mode);
  const request = act(transaction.objectStore(STORE));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error);
  });
}

export const all = () => run("readonly", (store) => store.getAll()).catch(() => []);

// Whether it is kept. Where the browser has no room, the photo is sent all the same; it only does not outlast this tab.
export async function put(record) {
  const kept = await run("readwrite", (store) => store.put(record)).then(() => true, () => false);
  channel.postMessage("changed");
  return kept;
}

export async function drop(key) {
  await run("readwrite", (store) => store.delete(key)).catch(() => {});
  channel.postMessage("changed");
}

export const onChange = (act) => channel.addEventListener("message", act);

export function newKey() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
