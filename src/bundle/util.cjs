// Without its lazy parts: an import of the module itself would load every one of them, worker_threads too.
module.exports = process.getBuiltinModule('node:util')
