// Without its lazy parts: an import of the module itself would load every one of them, fs/promises too.
module.exports = process.getBuiltinModule('node:fs')
