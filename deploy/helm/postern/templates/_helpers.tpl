{{- define "postern.labels" -}}
{{ include "postern.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end -}}

{{- define "postern.selector" -}}
app.kubernetes.io/name: postern
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "postern.name" -}}
{{ .root.Release.Name }}-{{ .component }}
{{- end -}}

{{- define "postern.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end -}}

{{/* Nobody here is root or has a capability, and the group may read what is mounted. */}}
{{- define "postern.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "postern.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
capabilities:
  drop:
    - ALL
{{- end -}}

{{/* Settings, secrets as files, and the memory that the container may have. */}}
{{- define "postern.env" -}}
{{- range $name, $value := .settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- range $name, $key := .secret.files }}
- name: {{ $name }}_FILE
  value: {{ printf "/run/secrets/postern/%s" $key | quote }}
{{- end }}
- name: GOMEMLIMIT
  valueFrom:
    resourceFieldRef:
      resource: limits.memory
{{- end -}}

{{/* Only /startupz waits for the directory; only what a restart repairs fails /livez. */}}
{{- define "postern.probes" -}}
startupProbe:
  httpGet:
    path: /startupz
    port: ops
  periodSeconds: 1
  failureThreshold: 300
readinessProbe:
  httpGet:
    path: /readyz
    port: ops
  periodSeconds: 5
  timeoutSeconds: 2
livenessProbe:
  httpGet:
    path: /livez
    port: ops
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}

{{- define "postern.secretVolume" -}}
- name: postern-secrets
  secret:
    secretName: {{ .name }}
    defaultMode: 0440
    items:
    {{- range $name, $key := .files }}
      - key: {{ $key }}
        path: {{ $key }}
    {{- end }}
{{- end -}}
