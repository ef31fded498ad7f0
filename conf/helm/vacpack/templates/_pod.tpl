{{/*
vacpack's part of a pod. An app's chart includes these with its subchart's scope, `.Subcharts.vacpack`:

  vacpack.podLabels       of the pod: what PodMonitor and NetworkPolicy find it by
  vacpack.podAnnotations  of the pod: nothing, or with `rolloutOnChange` a sum of the configuration
  vacpack.sidecar         an entry of initContainers: a native sidecar
  vacpack.container       an entry of containers: for clusters before 1.29
  vacpack.volumes         entries of volumes
*/}}

{{- define "vacpack.podLabels" -}}
vacpack: sidecar
vacpack-instance: {{ include "vacpack.fullname" . }}
{{- end -}}

{{- define "vacpack.podAnnotations" -}}
{{- if .Values.rolloutOnChange -}}
checksum/vacpack: {{ sha256sum .Values.config }}
{{- end -}}
{{- end -}}

{{- define "vacpack.sidecar" -}}
{{ include "vacpack.container" . }}
  restartPolicy: Always   # what makes it a sidecar: started before the app, ended after it
{{- end -}}

{{- define "vacpack.container" -}}
- name: vacpack
  image: {{ include "vacpack.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args: ["--config", "/etc/vacpack/vacpack.toml"]
  env:
    {{- with .Values.upstream }}
    - {name: VACPACK_UPSTREAM, value: {{ . | quote }}}
    {{- end }}
    {{- with .Values.listen }}
    - {name: VACPACK_LISTEN, value: {{ printf "%s:%v" .host .proxy | quote }}}
    - {name: VACPACK_ADMIN, value: {{ printf "%s:%v" .host .admin | quote }}}
    {{- end }}
    {{- with .Values.env }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.envFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    - {name: http-proxy, containerPort: {{ .Values.listen.proxy }}}
    - {name: http-admin, containerPort: {{ .Values.listen.admin }}}
  # Started means: configuration read, listeners bound. It must not wait for the app, which starts after a sidecar.
  startupProbe:
    httpGet: {path: /startupz, port: http-admin}
    periodSeconds: 1
    failureThreshold: 60
  readinessProbe:
    httpGet: {path: /readyz, port: http-admin}
    periodSeconds: 5
  livenessProbe:
    httpGet: {path: /livez, port: http-admin}
    periodSeconds: 10
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  terminationMessagePolicy: FallbackToLogsOnError
  volumeMounts:
    # The folder, not a subPath: a file mounted by subPath never sees a change of the ConfigMap.
    - {name: vacpack, mountPath: /etc/vacpack, readOnly: true}
    {{- with .Values.volumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "vacpack.volumes" -}}
- name: vacpack
  configMap: {name: {{ include "vacpack.configMap" . }}}
{{- with .Values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
