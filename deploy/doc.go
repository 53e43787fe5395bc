// Package deploy checks what the program is deployed with: the chart, the alerts,
// the dashboard, and docker-compose.yml as a whole. It is a module of its own,
// so that what the checks need is none of the program's.
package deploy
