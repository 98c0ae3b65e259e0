/** Where the status is kept, as `LOCKSTEP_STATUS` says it. */
export type StatusTarget =
  | {
      readonly kind: 'configmap'
      /** Undefined: that of the pod, or of the context of the kubeconfig. */
      readonly namespace: string | undefined
      readonly name: string
    }
  | { readonly kind: 'file'; readonly path: string }

const configMap = /^configmap\/(?:([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)\/)?([a-z0-9][-.a-z0-9]*)$/

/** `configmap/NAME`, `configmap/NAMESPACE/NAME`, `file:PATH`. */
export function readStatusTarget(text: string): StatusTarget | undefined {
  const [, path] = /^file:(.+)$/s.exec(text) ?? []
  if (path !== undefined) return { kind: 'file', path }
  const [, namespace, name = ''] = configMap.exec(text) ?? []
  const isName = name !== '' && name.length <= 253 && /[a-z0-9]$/.test(name)
  return isName ? { kind: 'configmap', namespace, name } : undefined
}
