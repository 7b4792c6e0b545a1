package main

import (
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

const projectNumber = "123456789012"

// invented makes up what only the cloud knows about one resource: the same for the same configuration.
type invented struct {
	kind     string
	given    map[string]string
	settings settings
	digest   string
}

// ids are the documented forms of the attribute `id`, after each resource's page in the provider's
// documentation ("In addition to the arguments listed above, ... id - an identifier ... with format").
// A resource that is not here gets its type and a digest.
var ids = map[string]string{
	"google_artifact_registry_repository":    "projects/{project}/locations/{location}/repositories/{repository_id}",
	"google_billing_budget":                  "billingAccounts/{billing_account}/budgets/{digest}",
	"google_cloudfunctions2_function":        "projects/{project}/locations/{location}/functions/{name}",
	"google_compute_firewall":                "projects/{project}/global/firewalls/{name}",
	"google_compute_network":                 "projects/{project}/global/networks/{name}",
	"google_compute_route":                   "projects/{project}/global/routes/{name}",
	"google_compute_subnetwork":              "projects/{project}/regions/{region}/subnetworks/{name}",
	"google_container_cluster":               "projects/{project}/locations/{location}/clusters/{name}",
	"google_container_node_pool":             "{cluster}/nodePools/{name}",
	"google_dns_managed_zone":                "projects/{project}/managedZones/{name}",
	"google_dns_record_set":                  "projects/{project}/managedZones/{managed_zone}/rrsets/{name}/{type}",
	"google_logging_metric":                  "projects/{project}/metrics/{name}",
	"google_monitoring_alert_policy":         "projects/{project}/alertPolicies/{number}",
	"google_monitoring_dashboard":            "projects/{number_of_project}/dashboards/{digest}",
	"google_monitoring_notification_channel": "projects/{project}/notificationChannels/{number}",
	"google_project_iam_custom_role":         "projects/{project}/roles/{role_id}",
	"google_project_service":                 "{project}/{service}",
	"google_pubsub_subscription":             "projects/{project}/subscriptions/{name}",
	"google_pubsub_topic":                    "projects/{project}/topics/{name}",
	"google_service_account":                 "projects/{project}/serviceAccounts/{email}",
	"google_storage_bucket":                  "{name}",
	"google_storage_bucket_object":           "{bucket}-{name}",
	"google_storage_managed_folder":          "{bucket}/{name}",
	"google_storage_notification":            "{bucket}/notificationConfigs/{notification_id}",
	"data.google_project":                    "projects/{project}",
}

// fullNames are the resources whose computed `name` is their full name.
var fullNames = map[string]bool{
	"google_billing_budget":                  true,
	"google_monitoring_alert_policy":         true,
	"google_monitoring_notification_channel": true,
	"google_project_iam_custom_role":         true,
	"google_service_account":                 true,
}

var forms = map[string]string{
	"data.google_project.number":                                "{number_of_project}",
	"data.google_project.project_id":                            "{project}",
	"data.google_project.name":                                  "{project}",
	"data.google_storage_project_service_account.email_address": "service-{number_of_project}@gs-project-accounts.iam.gserviceaccount.com",
	"data.google_storage_project_service_account.member":        "serviceAccount:service-{number_of_project}@gs-project-accounts.iam.gserviceaccount.com",
	"google_service_account.email":                              "{account_id}@{project}.iam.gserviceaccount.com",
	"google_service_account.member":                             "serviceAccount:{email}",
	"google_artifact_registry_repository.name":                  "{repository_id}",
	"google_artifact_registry_repository.registry_uri":          "{location}-docker.pkg.dev/{project}/{repository_id}",
	"google_storage_bucket.url":                                 "gs://{name}",
	"google_cloudfunctions2_function.url":                       "https://{location}-{project}.cloudfunctions.net/{name}",
	"google_cloudfunctions2_function.uri":                       "https://{name}-{short}.a.run.app",
	"google_cloudfunctions2_function.service":                   "projects/{project}/locations/{location}/services/{name}",
	"google_cloudfunctions2_function.trigger":                   "projects/{project}/locations/{location}/triggers/{name}-{number}",
	"google_storage_notification.notification_id":               "{number}",
	"google_container_cluster.endpoint":                         "172.16.0.2",
	"google_container_cluster.private_endpoint":                 "172.16.0.2",
	"google_container_cluster.services_ipv4_cidr":               "172.20.0.0/20",
}

var (
	hole  = regexp.MustCompile(`\{(\w+)\}`)
	times = regexp.MustCompile(`(^|_)(time|timestamp)$`)
)

func (i invented) value(name string, kind tftypes.Type) tftypes.Value {
	switch {
	case kind.Is(tftypes.String):
		return tftypes.NewValue(tftypes.String, i.text(name))
	case kind.Is(tftypes.Number):
		return number(1)
	case kind.Is(tftypes.Bool):
		return tftypes.NewValue(tftypes.Bool, false)
	case kind.Is(tftypes.Map{}):
		return tftypes.NewValue(kind, map[string]tftypes.Value{})
	case kind.Is(tftypes.List{}), kind.Is(tftypes.Set{}):
		return tftypes.NewValue(kind, []tftypes.Value{})
	}
	return tftypes.NewValue(kind, nil)
}

func (i invented) text(name string) string {
	if form, has := forms[i.kind+"."+name]; has {
		return i.print(form)
	}
	form, has := ids[i.kind]
	switch {
	case name == "cluster_ca_certificate":
		return base64.StdEncoding.EncodeToString([]byte("an authority made up offline\n"))
	case has && (name == "id" || name == "name" && fullNames[i.kind]):
		return i.print(form)
	case name == "self_link" && i.given["id"] != "":
		return "https://www.googleapis.com/" + i.given["id"]
	case times.MatchString(name):
		return "2026-01-01T00:00:00Z"
	}
	return i.print("{short_kind}-" + strings.ReplaceAll(name, "_", "-") + "-{digest}")
}

func (i invented) print(form string) string {
	return hole.ReplaceAllStringFunc(form, func(found string) string {
		name := found[1 : len(found)-1]
		if value, given := i.given[name]; given {
			return value
		}
		switch name {
		case "digest":
			return i.digest[:12]
		case "short":
			return i.digest[:10]
		case "number":
			value, _ := strconv.ParseUint(i.digest[:12], 16, 64)
			return strconv.FormatUint(value, 10)
		case "number_of_project":
			return projectNumber
		case "short_kind":
			kind := strings.TrimPrefix(strings.TrimPrefix(i.kind, "data."), "google_")
			return strings.ReplaceAll(kind, "_", "-")
		case "email", "name", "notification_id":
			return i.text(name)
		}
		if value, given := i.settings.defaults[name]; given {
			if found, is := text(value); is {
				return found
			}
		}
		return name
	})
}
