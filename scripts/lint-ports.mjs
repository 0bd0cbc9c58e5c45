// The oxlint rule `nest-durable/ports`, for lib/core, lib/replay and lib/runtime: time, chance, timers and I/O come in through
// lib/runtime/ports.ts, so that a test can be the outside. What is left is listed here with its reason, and an entry that
// nothing needs any more is an error too.

/** Files that capture the originals. */
const PORTS = ['lib/runtime/ports.ts'];

/** `use` is what the message quotes. */
const ALLOWED = [
  {
    file: 'lib/runtime/rejection-watch.ts',
    use: 'process',
    reason: "exchanges the process's own unhandledRejection listeners: there is no other place to do that",
  },
  {
    file: 'lib/runtime/runtime-options.ts',
    use: 'node:os',
    reason: 'the host is the default name of a node: read once, compared with nothing',
  },
];

const PURE_MODULES = new Set(['node:util', 'node:util/types']);
/** What is a function of its arguments in a module that is not. */
const PURE_IMPORTS = { 'node:crypto': ['createHash'] };
const BARE_BUILTINS = new Set(
  'async_hooks child_process cluster crypto dgram diagnostics_channel dns fs http http2 https inspector module net os perf_hooks process readline stream timers tls url util v8 vm worker_threads zlib'.split(
    ' ',
  ),
);

const GLOBALS = new Set(
  'setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate queueMicrotask performance crypto process fetch WebSocket EventSource BroadcastChannel MessageChannel globalThis global require'.split(
    ' ',
  ),
);
/** Objects that are pure but for these members. */
const MEMBERS = { Date: ['now'], Math: ['random'], AbortSignal: ['timeout'] };

const rule = {
  meta: { type: 'problem', docs: { description: 'Time, chance, timers and I/O only through the ports' } },
  create(context) {
    const file = relative(context.filename, context.cwd);
    if (PORTS.includes(file)) return {};
    const allowed = ALLOWED.filter((entry) => entry.file === file);
    const used = new Set();

    const report = (node, use, advice = 'take it from the ports (lib/runtime/ports.ts)') => {
      const entry = allowed.find((candidate) => candidate.use === use);
      if (entry) used.add(entry);
      else context.report({ node, message: `${use} comes from outside: ${advice}` });
    };
    const checkModule = (node, specifiers) => {
      const name = node.source?.value;
      if (typeof name !== 'string' || isType(node)) return;
      const module = name.startsWith('node:')
        ? name
        : BARE_BUILTINS.has(name.split('/')[0])
          ? `node:${name}`
          : undefined;
      if (module === undefined || PURE_MODULES.has(module)) return;
      const taken = specifiers.filter((specifier) => !isType(specifier));
      const pure = PURE_IMPORTS[module] ?? [];
      const impure = taken.filter((specifier) => !pure.includes((specifier.imported ?? specifier.local)?.name));
      if (taken.length === 0 || impure.length > 0) report(node, module);
    };

    return {
      ImportDeclaration: (node) => checkModule(node, node.specifiers),
      ExportNamedDeclaration: (node) => checkModule(node, node.specifiers),
      ExportAllDeclaration: (node) => checkModule(node, []),
      ImportExpression: (node) => checkModule(node, []),
      Identifier(node) {
        if (GLOBALS.has(node.name)) {
          if (isGlobal(context, node)) report(node, node.name);
        } else if (node.name in MEMBERS && isGlobal(context, node)) {
          const member = impureUse(node, MEMBERS[node.name]);
          if (member !== undefined) report(node, member);
        }
      },
      'Program:exit'(node) {
        for (const { use } of allowed.filter((entry) => !used.has(entry)))
          context.report({
            node,
            message: `${use} is not used here any more: take it off the list in scripts/lint-ports.mjs`,
          });
      },
    };
  },
};

/** How a use of `Date`, `Math` and the like reaches outside; undefined if it does not. */
function impureUse(node, members) {
  const { parent } = node;
  if (parent.type === 'MemberExpression' && parent.object === node) {
    const name = parent.computed ? parent.property.value : parent.property.name;
    return name === undefined || members.includes(name) ? `${node.name}.${name ?? '[...]'}` : undefined;
  }
  if (parent.type === 'NewExpression' && parent.callee === node)
    return node.name === 'Date' && parent.arguments.every(({ type }) => type === 'SpreadElement')
      ? 'new Date()'
      : undefined;
  if (parent.type === 'CallExpression' && parent.callee === node) return `${node.name}()`;
  // Handed on as a value, it could be asked for anything.
  return parent.type === 'BinaryExpression' ? undefined : node.name;
}

/** A reference to the global of that name: no property, no key, no type, no variable of the file. */
function isGlobal({ sourceCode }, node) {
  if (node.parent.type.startsWith('TS') && !/^TS(As|NonNull|Satisfies|TypeAssertion)/.test(node.parent.type))
    return false;
  let scope = sourceCode.getScope(node);
  if (!scope.references.some(({ identifier }) => identifier === node)) return false;
  for (; scope; scope = scope.upper) {
    const variable = scope.set.get(node.name);
    if (variable !== undefined) return variable.defs.length === 0;
  }
  return true;
}

const isType = (node) => node.importKind === 'type' || node.exportKind === 'type';

const relative = (path, root) => path.slice(root.length + 1).replaceAll('\\', '/');

export default { meta: { name: 'nest-durable' }, rules: { ports: rule } };
