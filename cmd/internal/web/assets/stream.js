// The connection to the director. It comes back by itself.

const firstPause = 1000;
const longestPause = 5000;
// A director that said that it leaves, and does not answer when the pause between two
// attempts has become longer than this, is lost.
const lostAfter = 3000;
// A director that says nothing for so many seconds has gone without a word. Seconds in
// which the page itself did not run do not count: what was said is still to be heard.
const silence = 25;

// connect calls the handlers of { state, delta, lost, leaving } for what arrives. lost
// gets the time of the latest message, leaving whether the daemon comes back.
export function connect(handlers) {
  let source = null;
  let pause = firstPause;
  let heard = null;
  let quiet = 0;
  let left = false;

  function open() {
    quiet = 0;
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
    quiet = 0;
    pause = firstPause;
    left = false;
    handler(JSON.parse(event.data));
  }

  // again replaces the connection: the browser itself would not try after every kind
  // of error.
  function again() {
    source.close();
    source = null;
    if (!left || pause > lostAfter) handlers.lost(heard);
    setTimeout(open, pause);
    pause = Math.min(pause * 1.5, longestPause);
  }

  setInterval(() => {
    quiet++;
    if (source && quiet > silence) again();
  }, 1000);
  open();
}
