// The connection to the director. It comes back by itself.

const firstPause = 1000;
const longestPause = 5000;
// A director that says nothing for this long has gone without a word.
const silence = 20000;

// connect calls the handlers of { state, delta, lost, leaving } for what arrives. lost
// gets the time of the latest message, leaving whether the daemon comes back.
export function connect(handlers) {
  let source = null;
  let pause = firstPause;
  let heard = null;
  let left = false;

  function open() {
    source = new EventSource("page/stream");
    source.addEventListener("state", (event) => arrived(event, handlers.state));
    source.addEventListener("delta", (event) => arrived(event, handlers.delta));
    source.addEventListener("bye", (event) => {
      left = true;
      handlers.leaving(JSON.parse(event.data).returns);
    });
    source.addEventListener("error", again);
  }

  function arrived(event, handler) {
    heard = Date.now();
    pause = firstPause;
    left = false;
    handler(JSON.parse(event.data));
  }

  // again replaces the connection: the browser itself would not try after every kind
  // of error.
  function again() {
    source.close();
    source = null;
    if (!left) handlers.lost(heard);
    setTimeout(open, pause);
    pause = Math.min(pause * 1.5, longestPause);
  }

  setInterval(() => {
    if (source && heard && Date.now() - heard > silence) again();
  }, 1000);
  open();
}
