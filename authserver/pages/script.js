// What cannot be done without a script: keeping a list up to date while it is
// looked at. Without it the page shows the list as it was when it was opened.
'use strict';

for (const region of document.querySelectorAll('[data-live]')) {
  let latest = null;

  // What somebody is about to press stays where it is until they are elsewhere.
  const renew = () => {
    if (latest === null || region.contains(document.activeElement)) return;
    if (region.innerHTML !== latest) region.innerHTML = latest;
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
