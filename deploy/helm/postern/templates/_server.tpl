{{/* What management and decisions have in common: a server that is reached over the network. */}}
{{- define "postern.server" -}}
{{- $v := .values -}}
{{- $name := include "postern.name" . -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels:
    {{- include "postern.labels" . | nindent 4 }}
spec:
  replicas: {{ $v.replicas }}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  selector:
    matchLabels:
      {{- include "postern.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "postern.labels" . | nindent 8 }}
      annotations:
        postern/secret-revision: {{ $v.secret.revision | quote }}
    spec:
      # The drain delay, and 25 s more.
      terminationGracePeriodSeconds: 40
      enableServiceLinks: false
      automountServiceAccountToken: false
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- include "postern.podSecurity" . | nindent 8 }}
      {{- with .root.Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "postern.selector" . | nindent 14 }}
      containers:
        - name: postern
          image: {{ include "postern.image" .root }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args:
            - serve
            - --only
            - {{ .component }}
          env:
            - name: POSTERN_{{ .component | upper }}_LISTEN
              value: ":{{ .port }}"
            - name: POSTERN_{{ .component | upper }}_TLS_CERT
              value: "/run/tls/postern/tls.crt"
            - name: POSTERN_{{ .component | upper }}_TLS_KEY
              value: "/run/tls/postern/tls.key"
            - name: POSTERN_OPS_LISTEN
              value: ":8183"
            {{- range $name, $value := .own }}
            - name: {{ $name }}
              value: {{ $value | quote }}
            {{- end }}
            {{- include "postern.env" $v | nindent 12 }}
          ports:
            - name: {{ .component }}
              containerPort: {{ .port }}
            - name: ops
              containerPort: 8183
          {{- include "postern.probes" . | nindent 10 }}
          resources:
            {{- toYaml $v.resources | nindent 12 }}
          securityContext:
            {{- include "postern.security" . | nindent 12 }}
          volumeMounts:
            - name: postern-state
              mountPath: /var/lib/postern
            - name: postern-tls
              mountPath: /run/tls/postern
              readOnly: true
            - name: postern-secrets
              mountPath: /run/secrets/postern
              readOnly: true
            {{- with .root.Values.extraVolumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
      volumes:
        - name: postern-state
          emptyDir:
            medium: Memory
            sizeLimit: 16Mi
        - name: postern-tls
          secret:
            secretName: {{ $v.tls }}
            defaultMode: 0440
        {{- include "postern.secretVolume" $v.secret | nindent 8 }}
        {{- with .root.Values.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}
  labels:
    {{- include "postern.labels" . | nindent 4 }}
spec:
  selector:
    {{- include "postern.selector" . | nindent 4 }}
  ports:
    - name: {{ .component }}
      port: {{ .port }}
      targetPort: {{ .component }}
    - name: ops
      port: 8183
      targetPort: ops
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}
  labels:
    {{- include "postern.labels" . | nindent 4 }}
spec:
  minAvailable: {{ $v.minAvailable }}
  selector:
    matchLabels:
      {{- include "postern.selector" . | nindent 6 }}
{{- if .root.Values.networkPolicy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ $name }}
  labels:
    {{- include "postern.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "postern.selector" . | nindent 6 }}
  policyTypes:
    - Ingress
  ingress:
    - ports:
        - port: {{ .component }}
      {{- with $v.from }}
      from:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    - ports:
        - port: ops
      {{- with .root.Values.networkPolicy.metricsFrom }}
      from:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}
{{- end -}}
