{{/*
A chart that depends on this one puts these two into the pod of its application:

  initContainers:
    {{- include "postern.sidecar.container" (dict "root" . "values" .Values.postern) | nindent 4 }}
  volumes:
    {{- include "postern.sidecar.volumes" (dict "values" .Values.postern) | nindent 4 }}

(where its own appVersion is not that of Postern it sets postern.image.tag),
mounts the volume "postern" at /run/postern in its own container, asks at
decisions.sock in it, and gives the pod the fsGroup 65532 and the label
postern/sidecar: "true", by which the PodMonitor finds it. An init container that is
restarted always starts before the application and stops after it.
*/}}
{{- define "postern.sidecar.container" -}}
{{- $v := .values.sidecar -}}
- name: postern
  image: {{ include "postern.image" (dict "Values" .values "Chart" .root.Chart) }}
  imagePullPolicy: {{ .values.image.pullPolicy }}
  restartPolicy: Always
  args:
    - serve
    - --only
    - decisions
  env:
    - name: POSTERN_DIRECTORY_URL
      value: {{ required "sidecar.directory: name the management listeners that the sidecar follows, such as https://postern.example.com:8182" $v.directory | quote }}
    - name: POSTERN_DECISIONS_LISTEN
      value: "unix:///run/postern/decisions.sock"
    - name: POSTERN_OPS_LISTEN
      value: ":8183"
    - name: POSTERN_DRAIN_DELAY
      value: "0s"
    - name: POSTERN_GRANTS_CACHE
      value: "64MiB"
    {{- include "postern.env" $v | nindent 4 }}
  ports:
    - name: ops
      containerPort: 8183
  {{- include "postern.probes" . | nindent 2 }}
  resources:
    {{- toYaml $v.resources | nindent 4 }}
  securityContext:
    {{- include "postern.security" . | nindent 4 }}
  volumeMounts:
    - name: postern
      mountPath: /run/postern
    - name: postern-state
      mountPath: /var/lib/postern
    - name: postern-secrets
      mountPath: /run/secrets/postern
      readOnly: true
{{- end -}}

{{- define "postern.sidecar.volumes" -}}
- name: postern
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
- name: postern-state
  emptyDir:
    medium: Memory
    sizeLimit: 16Mi
{{ include "postern.secretVolume" .values.sidecar.secret }}
{{- end -}}
