/* page.js: asks every two seconds and changes what is new, so that focus and selection stay where they are. */
'use strict';

const POLL_MS = 2000, PATIENCE_MS = 8000, POINTS = 60, TOP = 10, PEOPLE_EACH = 5;
const API = '/api/v1/';
const SVG = 'http://www.w3.org/2000/svg';
const past = new Map();	/* "imap/d03" -> numbers of sessions, the newest last */
const counted = new Map();	/* "imap/d03 total" -> { at, value, rate } */
const states = new Map();	/* "imap/d03" -> its state when last seen */
const tables = new Map();
let me = { commands: [], may_change: false, level: 'user' };
let turn = 0, timer = 0, isPaused = false;

const $ = id => document.getElementById(id);

function make(name, attributes, text) {
	const element = document.createElement(name);
	for (const key of Object.keys(attributes || {}))
		element.setAttribute(key, attributes[key]);
	if (text !== undefined)
		element.textContent = text;
	return element;
}

function setText(element, text) {
	if (element.textContent !== text)
		element.textContent = text;
}

async function ask(path, options) {
	const stop = new AbortController();
	const late = setTimeout(() => stop.abort(), PATIENCE_MS);
	try {
		/* not by the page's own address, which may have a password in it */
		return await fetch(location.origin + path, { ...options, signal: stop.signal, cache: 'no-store', credentials: 'same-origin' });
	} finally {
		clearTimeout(late);
	}
}

async function askCommand(words) {
	const answer = await ask(API + words.map(encodeURIComponent).join('/'));
	const body = await answer.json();
	if (!answer.ok)
		throw new Error([].concat(body.error).join(' '));
	return body;
}

const hasCommand = name => me.commands.some(row => row.name === name);
const levels = ['user', 'operator', 'admin'];
const mayAsk = name => me.commands.some(row => row.name === name &&
	levels.indexOf(row.level) <= levels.indexOf(me.level));

/* Numbers and times as people read them. */
const number = n => n === null || n === undefined ? '' : n.toLocaleString('en');

function size(bytes) {
	const units = ['B', 'kB', 'MB', 'GB', 'TB'];
	let i = 0;
	for (; bytes >= 1000 && i < units.length - 1; i++)
		bytes /= 1000;
	return (i > 0 && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)) + ' ' + units[i];
}

function span(seconds) {
	if (seconds === null || seconds === undefined)
		return '';
	if (seconds < 120)
		return seconds + ' s';
	if (seconds < 7200)
		return Math.round(seconds / 60) + ' min';
	return seconds < 172800 ? Math.round(seconds / 3600) + ' h' : Math.round(seconds / 86400) + ' d';
}

/* How fast a counter grows, a second; null before the second look. */
function rate(key, value) {
	const now = performance.now(), last = counted.get(key);
	const next = { at: now, value, rate: null };
	if (last !== undefined && now > last.at && value >= last.value)
		next.rate = (value - last.value) * 1000 / (now - last.at);
	counted.set(key, next);
	return next.rate;
}

const rateText = r => r === null ? '' : r < 10 ? r.toFixed(1) : String(Math.round(r));

function remember(key, value) {
	const points = past.get(key) || [];
	points.push(value);
	if (points.length > POINTS)
		points.shift();
	past.set(key, points);
	return points;
}

function drawSpark(cell, points) {
	let svg = cell.firstElementChild;
	if (svg === null) {
		svg = document.createElementNS(SVG, 'svg');
		svg.setAttribute('class', 'spark');
		svg.setAttribute('viewBox', `0 0 ${POINTS} 20`);
		svg.setAttribute('preserveAspectRatio', 'none');
		svg.setAttribute('role', 'img');
		svg.appendChild(document.createElementNS(SVG, 'polyline'));
		cell.appendChild(svg);
	}
	const most = Math.max(1, ...points), from = POINTS - points.length;
	svg.setAttribute('aria-label', `sessions: now ${points[points.length - 1]}, at most ${Math.max(...points)}`);
	svg.firstElementChild.setAttribute('points',
		points.map((n, i) => `${from + i},${(19 - n / most * 18).toFixed(1)}`).join(' '));
}

const judgements = {
	up: ['good', '● up'], unknown: ['warn', '○ not checked'], drain: ['warn', '◐ drain'],
	maintenance: ['warn', '■ maintenance'], down: ['bad', '✕ down'], unresolved: ['bad', '✕ no address']
};

function drawState(cell, state) {
	const [kind, text] = judgements[state] || ['warn', state];
	const badge = cell.firstElementChild || cell.appendChild(make('span'));
	badge.className = 'badge ' + kind;
	setText(badge, text);
}

/*
 * Tables: a column is { head, isNumber, kind, draw } where draw is given the cell, the row and the row's key,
 * or has a text returned.  The first column heads its row.
 */
function tableFor(place, id, caption, columns) {
	let table = tables.get(id);
	if (table !== undefined)
		return table;
	const element = make('table', { role: 'table' }), head = make('tr', { role: 'row' });
	for (const column of columns)
		head.appendChild(make('th', { scope: 'col', role: 'columnheader',
			class: column.isNumber ? 'number' : '' }, column.head));
	element.appendChild(make('caption', {}, caption));
	element.appendChild(make('thead', { role: 'rowgroup' })).appendChild(head);
	table = { element, body: element.appendChild(make('tbody', { role: 'rowgroup' })), rows: new Map(), columns };
	place.appendChild(element);
	tables.set(id, table);
	return table;
}

function makeRow(table, key) {
	const tr = make('tr', { role: 'row', 'data-key': key });
	table.columns.forEach((column, i) => tr.appendChild(i === 0 ?
		make('th', { scope: 'row', role: 'rowheader' }) :
		make('td', { role: 'cell', 'data-label': column.head,
			class: [column.isNumber ? 'number' : '', column.kind || ''].join(' ').trim() })));
	return table.body.appendChild(tr);
}

function fillTable(table, rows, keyOf) {
	const seen = new Set();
	for (const row of rows) {
		const key = keyOf(row);
		seen.add(key);
		if (!table.rows.has(key))
			table.rows.set(key, makeRow(table, key));
		table.columns.forEach((column, i) => {
			const cell = table.rows.get(key).children[i];
			const text = column.draw(cell, row, key);
			if (text !== undefined)
				setText(cell, text);
			cell.classList.toggle('empty', text === '');
		});
	}
	for (const [key, tr] of table.rows) {
		if (seen.has(key))
			continue;
		tr.remove();
		table.rows.delete(key);
	}
}

function dropTables(prefix, seen) {
	for (const [id, table] of tables) {
		if (!id.startsWith(prefix) || seen.has(id))
			continue;
		table.element.remove();
		tables.delete(id);
	}
}

/* What an operator may do, in the words of the command that there is. */
async function change(words, button) {
	if (!window.confirm(`Really: ${words.join(' ')}?`))
		return;
	button.disabled = true;
	try {
		const answer = await ask(API + words.map(encodeURIComponent).join('/'),
			{ method: 'POST', headers: { 'X-Gatepost': 'page' } });
		if (!answer.ok)
			tellTrouble([].concat((await answer.json()).error).join(' '));
	} catch (error) {
		tellTrouble(String(error.message));
	}
	button.disabled = false;
	poll();
}

function drawActions(cell, row, key) {
	const isOut = row.state === 'drain' || row.state === 'maintenance';
	const words = hasCommand('drain') && hasCommand('ready') ? [isOut ? 'ready' : 'drain', key] :
		hasCommand('set server') ? ['set', 'server', key, 'state', isOut ? 'ready' : 'drain'] : null;
	if (!me.may_change || words === null) {
		cell.replaceChildren();
		return '';
	}
	let button = cell.firstElementChild;
	if (button === null) {
		button = cell.appendChild(make('button', { type: 'button' }));
		button.addEventListener('click', () => change(button.words, button));
	}
	button.words = words;
	setText(button, isOut ? 'Ready' : 'Drain');
	button.setAttribute('aria-label', (isOut ? 'Let sessions come to ' : 'Send no new sessions to ') + key);
	return undefined;
}

const serverColumns = [
	{ head: 'Server', draw: (cell, row) => row.server },
	{ head: 'State', draw: (cell, row) => drawState(cell, row.state) },
	{ head: 'For', isNumber: true, draw: (cell, row) => span(row.since_s) },
	{ head: 'Sessions', isNumber: true, draw: (cell, row) => number(row.sessions) },
	{ head: 'New/s', isNumber: true, draw: (cell, row, key) => rateText(rate(key + ' total', row.total)) },
	{ head: 'Queue', isNumber: true, draw: (cell, row) => row.queued > 0 ? number(row.queued) : '' },
	{ head: 'Last two minutes', draw: (cell, row, key) => drawSpark(cell, remember(key, row.sessions)) },
	{ head: 'Failed', isNumber: true, draw: (cell, row) => row.failures > 0 ? number(row.failures) : '' },
	{ head: 'Weight', isNumber: true, draw: (cell, row) => number(row.weight) },
	{ head: 'Check', draw: (cell, row) => row.check === null ? '' : `${row.check} in ${row.check_ms} ms` },
	{ head: 'Why', kind: 'why', draw: (cell, row) => row.why || '' }
];
const actionColumn = { head: 'Action', draw: drawActions };

const listenerColumns = [
	{ head: 'Listener', draw: (cell, row) => row.listener },
	{ head: 'Protocol', draw: (cell, row) => row.protocol },
	{ head: 'Addresses', draw: (cell, row) => row.addresses },
	{ head: 'Sessions', isNumber: true, draw: (cell, row) => number(row.sessions) +
		(row.limit === null ? '' : ' of ' + number(row.limit)) },
	{ head: 'New/s', isNumber: true, draw: (cell, row, key) => rateText(rate(key + ' accepted', row.accepted)) },
	{ head: 'Last two minutes', draw: (cell, row, key) => drawSpark(cell, remember(key, row.sessions)) },
	{ head: 'Logins', isNumber: true, draw: (cell, row) => number(row.logins) },
	{ head: 'Refused', isNumber: true, draw: (cell, row) => row.failed_logins > 0 ? number(row.failed_logins) : '' },
	{ head: 'Up', isNumber: true, draw: (cell, row) => size(row.bytes_up) },
	{ head: 'Down', isNumber: true, draw: (cell, row) => size(row.bytes_down) }
];

const serverKey = row => `${row.pool}/${row.server}`;

/* To those who hear the page: what has changed since the last look, and nothing else. */
function tellNews(rows) {
	const news = [];
	for (const row of rows) {
		const key = serverKey(row), before = states.get(key);
		if (before !== undefined && before !== row.state)
			news.push(`${key} is ${row.state} now${row.why ? ': ' + row.why : ''}.`);
		states.set(key, row.state);
	}
	if (news.length > 0)
		setText($('news'), news.join(' '));
}

function drawServers(rows) {
	const seen = new Set(), columns = me.may_change ? [...serverColumns, actionColumn] : serverColumns;
	for (const pool of new Set(rows.map(row => row.pool))) {
		const id = 'pool ' + pool;
		seen.add(id);
		fillTable(tableFor($('pools'), id, pool, columns), rows.filter(row => row.pool === pool), serverKey);
	}
	dropTables('pool ', seen);
	tellNews(rows);
}

function drawSums(servers, listeners) {
	const sum = (rows, name) => rows.reduce((n, row) => n + row[name], 0);
	const up = servers.filter(row => row.state === 'up' || row.state === 'unknown').length;
	const sums = {
		'Sessions': number(sum(listeners, 'sessions')),
		'New a second': rateText(rate('sum accepted', sum(listeners, 'accepted'))) || '–',
		'Logins a second': rateText(rate('sum logins', sum(listeners, 'logins'))) || '–',
		'Servers that serve': `${up} of ${servers.length}`,
		'Waiting': number(sum(servers, 'queued'))
	};
	for (const name of Object.keys(sums)) {
		const id = 'sum-' + name.replace(/ /g, '-');
		if ($(id) === null) {
			const box = $('sums').appendChild(make('div'));
			box.appendChild(make('dt', {}, name));
			box.appendChild(make('dd', { id }));
		}
		setText($(id), sums[name]);
	}
}

/* Whatever columns the answer has: those who have most. */
function drawTop(place, caption, rows, name) {
	const counts = new Map();
	for (const row of rows)
		if (row[name])
			counts.set(row[name], (counts.get(row[name]) || 0) + (Number(row.sessions) || 1));
	const top = [...counts].sort((a, b) => b[1] - a[1]).slice(0, TOP);
	if (top.length === 0 && !tables.has(caption))
		return;
	fillTable(tableFor(place, caption, caption, [
		{ head: name[0].toUpperCase() + name.slice(1), draw: (cell, row) => row[0] },
		{ head: 'Sessions', isNumber: true, draw: (cell, row) => number(row[1]) }
	]), top, row => row[0]);
}

async function drawPeople() {
	if (!mayAsk('who'))
		return;
	const rows = await askCommand(['who']);
	if (!Array.isArray(rows))
		return;
	$('people').hidden = rows.length === 0;
	drawTop($('users'), 'Users', rows, 'user');
	drawTop($('clients'), 'Clients', rows, 'client');
}

async function drawReady() {
	const answer = await ask('/readyz'), text = (await answer.text()).trim();
	$('ready').className = 'badge ' + (answer.ok ? 'good' : 'bad');
	setText($('ready'), answer.ok ? '✓ ready' : '✕ ' + text.split('\n').join('; '));
}

function tellTrouble(text) {
	$('trouble').hidden = text === '';
	setText($('trouble'), text);
}

/* One numbers-by-name history for each server and listener, where there is the command. */
async function seedHistory() {
	if (!mayAsk('show history'))
		return;
	const rows = await askCommand(['show', 'history']);
	for (const row of Array.isArray(rows) ? rows : [])
		if (typeof row.name === 'string' && Array.isArray(row.sessions) && !past.has(row.name))
			past.set(row.name, row.sessions.slice(-POINTS));
}

async function begin() {
	const answer = await ask('/api/v1');
	if (!answer.ok)
		throw new Error('gatepost says: ' + answer.status);
	me = await answer.json();
	setText($('version'), me.version);
	await seedHistory().catch(() => undefined);
}

async function poll() {
	clearTimeout(timer);
	try {
		if (me.version === undefined)
			await begin();
		const [servers, listeners] = await Promise.all([
			askCommand(['show', 'servers']), askCommand(['show', 'listeners']), drawReady()]);
		drawServers(servers);
		fillTable(tableFor($('listeners'), 'listeners', 'Where clients come in', listenerColumns), listeners,
			row => row.listener);
		drawSums(servers, listeners);
		if (turn++ % PEOPLE_EACH === 0)
			await drawPeople();
		setText($('age'), 'at ' + new Date().toLocaleTimeString());
		tellTrouble('');
	} catch (error) {
		tellTrouble('No answer: ' + error.message + '. What is seen here is old.');
	}
	document.body.setAttribute('data-polls', String(turn));
	clearTimeout(timer);
	if (!isPaused && !document.hidden)
		timer = setTimeout(poll, POLL_MS);
}

$('pause').addEventListener('click', () => {
	isPaused = !isPaused;
	$('pause').setAttribute('aria-pressed', String(isPaused));
	setText($('pause'), isPaused ? 'Go on' : 'Pause');
	clearTimeout(timer);
	if (!isPaused)
		poll();
});
document.addEventListener('visibilitychange', () => {
	if (!document.hidden && !isPaused)
		poll();
});
poll();
