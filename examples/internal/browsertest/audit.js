(forced => {
  const bad = [];
  const visible = e => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== 'hidden';
  const name = e => `${e.tagName.toLowerCase()}${e.id ? '#' + e.id : ''} "${(e.textContent || '').trim().slice(0, 30)}"`;

  if (!document.documentElement.lang) bad.push('no lang attribute');
  if (!document.title) bad.push('no title');
  const h1 = [...document.querySelectorAll('h1')].filter(visible);
  if (h1.length !== 1) bad.push(`${h1.length} h1 elements`);
  if (document.querySelectorAll('main').length !== 1) bad.push('not one main element');
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  ids.forEach((id, i) => { if (ids.indexOf(id) !== i) bad.push('id twice: ' + id); });
  for (const e of document.querySelectorAll('[aria-describedby],[aria-labelledby]'))
    for (const a of ['aria-describedby', 'aria-labelledby'])
      for (const id of (e.getAttribute(a) || '').split(' ').filter(Boolean))
        if (!document.getElementById(id)) bad.push(`${name(e)}: ${a} names nothing`);
  for (const e of document.querySelectorAll('input:not([type=hidden]),select,textarea'))
    if (!e.labels || !e.labels.length || !e.labels[0].textContent.trim()) bad.push(`${name(e)} has no label`);
  for (const e of document.querySelectorAll('button,a[href]'))
    if (!e.textContent.trim() && !e.getAttribute('aria-label')) bad.push(`${name(e)} has no name`);
  for (const e of document.querySelectorAll('img:not([alt])')) bad.push(`${name(e)} has no alt`);

  // Targets are at least 24 pixels high and wide (WCAG 2.2, 2.5.8); links within a line of text are excepted.
  for (const e of [...document.querySelectorAll('button,input:not([type=hidden]),select,textarea')].filter(visible)) {
    const r = e.getBoundingClientRect();
    if (r.width < 21 || r.height < 21) bad.push(`${name(e)} is a target of ${r.width}x${r.height}`);
  }

  // Nothing sticks out of its card, nor of the screen.
  for (const e of [...document.querySelectorAll('main *')].filter(visible)) {
    const r = e.getBoundingClientRect(), card = e.closest('.card');
    const edge = card && card !== e ? card.getBoundingClientRect().right : innerWidth;
    if (r.right > edge + 0.5 && getComputedStyle(e).position !== 'absolute') bad.push(`${name(e)} sticks out by ${r.right - edge}px`);
    if (e.clientWidth && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === 'visible') bad.push(`${name(e)}: its text is ${e.scrollWidth - e.clientWidth}px too wide`);
  }

  if (forced) { // what is a control stays one: a border, since the ground of a button is the user's
    for (const e of [...document.querySelectorAll('button,input[type=text],input[type=password],a.primary')].filter(visible))
      if (e.closest('.languages') === null && getComputedStyle(e).borderTopStyle === 'none') bad.push(`${name(e)} has no border in forced colours`);
    return bad;
  }

  // Contrast of every text with its ground (WCAG 2.2, 1.4.3).
  const rgb = s => (s.match(/[\d.]+/g) || []).map(Number);
  const light = c => { const [r, g, b] = c.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const probe = document.body.appendChild(document.createElement('p'));
  probe.style.backgroundColor = 'Canvas'; // the ground of a page without one, which follows color-scheme
  const canvas = rgb(getComputedStyle(probe).backgroundColor).slice(0, 3);
  probe.remove();
  const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] === 1) return c.slice(0, 3); } return canvas; };
  const seen = new Set(), walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  for (let n = walker.nextNode(); n; n = walker.nextNode()) {
    const e = n.parentElement;
    if (!n.data.trim() || !visible(e) || e.closest('.skip')) continue;
    texts++;
    const a = light(rgb(getComputedStyle(e).color).slice(0, 3)), b = light(ground(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5 && !seen.has(e.className + e.tagName)) { seen.add(e.className + e.tagName); bad.push(`${name(e)}: contrast ${ratio.toFixed(2)}`); }
  }
  if (texts < 1) bad.push('no text on the page');
  return bad;
})
