package pap_test

// portal is what every house begins with. Its people, by username:
//
//	harbour  olga, of the operator's staff
//	acme     paula, Primary Contact; adam, administrator of a-1001 and b-1001
//	         with WAN Analysis there; regina (regular), rosa (read_only) and
//	         sam (support) of a-1001 and b-1001; ella (regular), end customer
//	         of contract k-1 and delivery d-1; tim, administrator of all of
//	         acme-east, of the account team
//	globex   gustav, Primary Contact
//	bright   sally, sales of all of bright-one
const portal = `
{"type":"organization","id":"harbour","kind":"operator","name":"Harbour Networks"}
{"type":"organization","id":"acme","kind":"customer","name":"ACME"}
{"type":"organization","id":"globex","kind":"customer","name":"GLOBEX"}
{"type":"organization","id":"bright","kind":"partner","name":"Bright Resale"}
{"type":"company","id":"acme-south","organization":"acme","name":"ACME South"}
{"type":"company","id":"acme-east","organization":"acme","name":"ACME East"}
{"type":"company","id":"globex-one","organization":"globex","name":"Globex One"}
{"type":"company","id":"bright-one","organization":"bright","name":"Bright One"}
{"type":"account","id":"k-1","company":"acme-south","kind":"contract","name":"Contract south"}
{"type":"account","id":"d-1","company":"acme-south","kind":"delivery","name":"Delivery south"}
{"type":"account","id":"s-1","company":"acme-south","kind":"service","name":"Line south","contract":"k-1","delivery":"d-1"}
{"type":"account","id":"a-1001","company":"acme-south","kind":"service","name":"Data centre south"}
{"type":"account","id":"a-1002","company":"acme-south","kind":"service","name":"Branch south"}
{"type":"account","id":"b-1001","company":"acme-south","kind":"billing","name":"Invoices south"}
{"type":"account","id":"a-2001","company":"acme-east","kind":"service","name":"Data centre east"}
{"type":"account","id":"b-2001","company":"acme-east","kind":"billing","name":"Invoices east"}
{"type":"account","id":"g-3001","company":"globex-one","kind":"service","name":"Globex office"}
{"type":"account","id":"r-4001","company":"bright-one","kind":"service","name":"Bright office"}
{"type":"account_group","id":"south-sites","organization":"acme","kind":"service_group","name":"Sites in the south","accounts":["a-1001","a-1002"]}
{"type":"account_group","id":"cgi-88","organization":"acme","kind":"customer_group_identifier","name":"CGI 88","accounts":["a-2001"]}
{"type":"tool","id":"wan_analysis","name":"WAN Analysis"}
{"type":"tool","id":"network_manager","name":"Network Manager"}
{"type":"tool","id":"dynamic_network_manager","name":"Dynamic Network Manager","restricted":true}
{"type":"user","username":"olga","email":"olga@harbour.example","given_name":"Olga","family_name":"Ott"}
{"type":"user","username":"paula","email":"paula@acme.example","given_name":"Paula","family_name":"Price"}
{"type":"user","username":"adam","email":"adam@acme.example","given_name":"Adam","family_name":"Abel"}
{"type":"user","username":"regina","email":"regina@acme.example","given_name":"Regina","family_name":"Roth"}
{"type":"user","username":"rosa","email":"rosa@acme.example","given_name":"Rosa","family_name":"Reyes"}
{"type":"user","username":"sam","email":"sam@acme.example","given_name":"Sam","family_name":"Stone"}
{"type":"user","username":"ella","email":"ella@pear.example","given_name":"Ella","family_name":"Ende"}
{"type":"user","username":"tim","email":"tim@harbour.example","given_name":"Tim","family_name":"Tarn"}
{"type":"user","username":"gustav","email":"gustav@globex.example","given_name":"Gustav","family_name":"Gill"}
{"type":"user","username":"sally","email":"sally@bright.example","given_name":"Sally","family_name":"Sears"}
{"type":"membership","organization":"harbour","user":"olga","role":"operator","assigned_by":"operator"}
{"type":"membership","organization":"acme","user":"paula","role":"primary_contact","assigned_by":"operator"}
{"type":"membership","organization":"acme","user":"adam","role":"administrator","assigned_by":"user"}
{"type":"membership","organization":"acme","user":"regina","role":"regular","assigned_by":"user"}
{"type":"membership","organization":"acme","user":"rosa","role":"read_only","assigned_by":"user"}
{"type":"membership","organization":"acme","user":"sam","role":"support","assigned_by":"user"}
{"type":"membership","organization":"acme","user":"ella","role":"regular","affiliation":"end_customer","assigned_by":"user"}
{"type":"membership","organization":"acme","user":"tim","role":"administrator","affiliation":"account_team","assigned_by":"operator"}
{"type":"membership","organization":"globex","user":"gustav","role":"primary_contact","assigned_by":"operator"}
{"type":"membership","organization":"bright","user":"sally","role":"sales","assigned_by":"user"}
{"type":"grant","organization":"acme","user":"adam","company":"acme-south","granted_by":"user"}
{"type":"grant","organization":"acme","user":"adam","account":"a-1001","granted_by":"user"}
{"type":"grant","organization":"acme","user":"adam","account":"b-1001","granted_by":"user"}
{"type":"grant","organization":"acme","user":"adam","tool":"wan_analysis","granted_by":"user"}
{"type":"grant","organization":"acme","user":"adam","tool":"wan_analysis","account":"a-1001","granted_by":"user"}
{"type":"grant","organization":"acme","user":"regina","company":"acme-south","granted_by":"user"}
{"type":"grant","organization":"acme","user":"regina","account":"a-1001","granted_by":"user"}
{"type":"grant","organization":"acme","user":"regina","account":"b-1001","granted_by":"user"}
{"type":"grant","organization":"acme","user":"rosa","company":"acme-south","granted_by":"user"}
{"type":"grant","organization":"acme","user":"rosa","account":"a-1001","granted_by":"user"}
{"type":"grant","organization":"acme","user":"rosa","account":"b-1001","granted_by":"user"}
{"type":"grant","organization":"acme","user":"sam","company":"acme-south","granted_by":"user"}
{"type":"grant","organization":"acme","user":"sam","account":"a-1001","granted_by":"user"}
{"type":"grant","organization":"acme","user":"sam","account":"b-1001","granted_by":"user"}
{"type":"grant","organization":"acme","user":"ella","company":"acme-south","granted_by":"user"}
{"type":"grant","organization":"acme","user":"ella","account":"k-1","granted_by":"user"}
{"type":"grant","organization":"acme","user":"ella","account":"d-1","granted_by":"user"}
{"type":"grant","organization":"acme","user":"tim","company":"acme-east","all_accounts":true,"granted_by":"operator"}
{"type":"grant","organization":"bright","user":"sally","company":"bright-one","all_accounts":true,"granted_by":"user"}
`
