'use strict';
(() => {
	const root = document.documentElement;
	const main = document.querySelector('main');
	const live = document.getElementById('live');
	const trouble = document.getElementById('trouble');
	const search = document.getElementById('search');
	const filter = search.querySelector('input');
	const found = search.querySelector('output');
	const every = 2000;    // ms between updates
	const patience = 10000; // ms for an answer
	const few = 12;         // rows that need no filter

	let ahead = Date.parse(root.dataset.now) - Date.now(); // of the server's clock
	let answered = Date.now();
	let timer = 0;
	let busy = false;

	const set = (node, text) => { if (node.textContent !== text) node.textContent = text; };

	// span and ago say times in the words of the server.
	const span = s => s < 60 ? Math.floor(s) + ' s'
		: s < 3600 ? Math.floor(s / 60) + ' min'
		: s < 172800 ? Math.floor(s / 3600) + ' h'
		: Math.floor(s / 86400) + ' d';
	const ago = (t, now) => t > now ? 'in ' + span((t - now) / 1000) : span((now - t) / 1000) + ' ago';

	// clock is the server's time of its latest answer.
	const clock = () => new Date(answered + ahead).toISOString().slice(11, 19);

	const tick = () => {
		const now = Date.now() + ahead;
		for (const node of main.querySelectorAll('time + .ago')) {
			set(node, ago(Date.parse(node.previousElementSibling.dateTime), now));
		}
	};

	// morph makes one node like another, and leaves alone what is the same: a selection, the focus and
	// the place on the screen stay. Children with an id are known by it, the others by their order.
	// Nothing is moved while the order is the same: what is moved loses the focus.
	const morph = (from, to) => {
		if (from.isEqualNode(to)) return;
		if (from.nodeName !== to.nodeName) {
			from.replaceWith(to);
			return;
		}
		if (from.nodeType !== Node.ELEMENT_NODE) {
			from.nodeValue = to.nodeValue;
			return;
		}
		for (const {name} of [...from.attributes]) if (!to.hasAttribute(name)) from.removeAttribute(name);
		for (const {name, value} of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
		const known = new Map();
		for (const child of from.children) if (child.id) known.set(child.id, child);
		const wanted = new Set([...to.children].map(child => child.id));
		let next = from.firstChild;
		for (const child of [...to.childNodes]) {
			while (next && next.id && (!child.id || !wanted.has(next.id))) next = next.nextSibling;
			const mine = child.id ? known.get(child.id) : next;
			if (!mine) {
				from.insertBefore(child, next);
				continue;
			}
			known.delete(child.id);
			if (mine === next) next = next.nextSibling;
			else from.insertBefore(mine, next);
			morph(mine, child);
		}
		while (next) {
			const last = next;
			next = next.nextSibling;
			last.remove();
		}
		for (const left of known.values()) left.remove();
	};

	const rows = () => main.querySelectorAll('tbody tr[id]');

	const narrow = () => {
		const all = rows();
		search.hidden = all.length <= few && !filter.value;
		const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
		let shown = 0;
		for (const row of all) {
			const text = words.length ? row.textContent.toLowerCase() : '';
			row.hidden = !words.every(word => text.includes(word));
			if (!row.hidden) shown++;
		}
		set(found, words.length ? shown + ' of ' + all.length + ' rows' : '');
	};

	const take = (text, ids) => {
		const parts = new DOMParser().parseFromString(text, 'text/html');
		let before = null;
		for (const id of ids) {
			let mine = document.getElementById(id);
			const theirs = parts.getElementById(id);
			if (mine && theirs) morph(mine, theirs);
			else if (theirs) mine = document.importNode(theirs, true);
			if (!mine) continue;
			if (before ? before.nextElementSibling !== mine : main.firstElementChild !== mine) {
				before ? before.after(mine) : main.prepend(mine);
			}
			before = mine;
		}
		for (const section of [...main.children]) if (!ids.includes(section.id)) section.remove();
		const state = document.querySelector('#status h2 .mark');
		if (state) document.title = state.lastChild.textContent + document.title.slice(document.title.indexOf(' · '));
	};

	const update = async () => {
		const have = [...main.children].map(s => s.id + ':' + s.dataset.hash).join(',');
		const answer = await fetch('sections?have=' + encodeURIComponent(have),
			{cache: 'no-store', signal: AbortSignal.timeout(patience)});
		if (!answer.ok) throw new Error('it answers ' + answer.status);
		if (answer.headers.get('Page-Version') !== root.dataset.version) {
			location.reload(); // another version of the program answers
			return;
		}
		const text = await answer.text();
		answered = Date.now();
		ahead = Date.parse(answer.headers.get('Date')) + 500 - answered;
		if (text.trim() || main.children.length !== answer.headers.get('Page-Sections').split(',').length) {
			take(text, answer.headers.get('Page-Sections').split(','));
			narrow();
		}
	};

	const loop = async () => {
		if (busy || document.hidden) return;
		busy = true;
		clearTimeout(timer);
		const begun = Date.now();
		try {
			await update();
			set(trouble, '');
			set(live, 'Live · ' + clock());
		} catch (error) {
			set(trouble, 'This process has not answered since ' +
				clock() + ' UTC. What is below is from then.');
			set(live, 'Not live');
		}
		tick();
		busy = false;
		timer = setTimeout(loop, Math.max(every, 5 * (Date.now() - begun)));
	};

	document.addEventListener('visibilitychange', loop);
	filter.addEventListener('input', narrow);
	narrow();
	set(live, 'Live · ' + clock());
	timer = setTimeout(loop, every);
})();
